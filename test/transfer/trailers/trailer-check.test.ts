import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Crc64 } from '../../../transfer/trailers/crc64.ts';
import type { TrailerRule } from '../../../transfer/trailers/trailer.ts';
import { missingTools, testFolder } from '../test-sources.ts';
import { verdictOf } from './verdict-of.ts';

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'fixtures', name));
const pgCustom: TrailerRule = { kind: 'pg-custom-toc' };

function expectCutEverywhere(bytes: Buffer, rule: TrailerRule, whole: number = bytes.byteLength): void {
  for (let length = 0; length < whole; length += 1) {
    const verdict = verdictOf(bytes.subarray(0, length), rule);
    if (verdict.end !== 'cut')
      expect.fail(`${rule.kind}: ${String(length)} of ${String(whole)} bytes are called ${verdict.end}`);
  }
}

it('never throws, whatever the bytes are', () => {
  const rules: TrailerRule[] = [
    pgCustom,
    { kind: 'tar' },
    { kind: 'rdb' },
    { kind: 'json' },
    { kind: 'text', endsWith: 'end' },
  ];
  const heads = ['', 'PGDMP\x01\x0e\x00\x04\x08\x01', 'REDIS0011', '{'];
  fc.assert(
    fc.property(
      fc.constantFrom(...rules),
      fc.constantFrom(...heads),
      fc.uint8Array({ maxLength: 3_000 }),
      fc.integer({ min: 1, max: 700 }),
      (rule, head, tail, chunkBytes) => {
        verdictOf(Buffer.concat([Buffer.from(head, 'latin1'), tail]), rule, chunkBytes);
      },
    ),
    { numRuns: 1_000 },
  );
});

describe('pg-custom-toc', () => {
  it.each(['postgresql-15-plain.dump', 'postgresql-15-gzip.dump'])(
    'knows a real dump with large objects as whole, and every cut of it as cut: %s',
    (name) => {
      const dump = fixture(name);
      for (const chunkBytes of [1, 7, 100_000]) expect(verdictOf(dump, pgCustom, chunkBytes)).toEqual({ end: 'whole' });
      expectCutEverywhere(dump, pgCustom);
      expect(verdictOf(Buffer.concat([dump, Buffer.from('x')]), pgCustom)).toMatchObject({ end: 'cut' });
    },
  );

  /** An archive with one table, as the given version writes it. */
  function archive(minor: number, blocks: readonly Buffer[]): Buffer {
    const int = (value: number): Buffer => Buffer.from([value < 0 ? 1 : 0, Math.abs(value), 0, 0, 0]);
    const text = (value: string | null): Buffer =>
      value === null ? int(-1) : Buffer.concat([int(value.length), Buffer.from(value)]);
    const compression = minor >= 15 ? Buffer.from([0]) : int(0);
    const head = [
      Buffer.from('PGDMP'),
      Buffer.from([1, minor, 0, 4, 8, 1]),
      compression,
      ...Array.from({ length: 7 }, () => int(1)),
      text('db'),
      text('18.0'),
      text('18.0'),
    ];
    const entry = (dumpId: number, state: number): Buffer[] => [
      int(dumpId),
      int(1),
      text('0'),
      text('16384'),
      text('t'),
      text('TABLE DATA'),
      int(3),
      text(null),
      text(''),
      text('COPY t FROM stdin;'),
      text('public'),
      text(null),
      ...(minor >= 14 ? [text('heap')] : []),
      ...(minor >= 16 ? [int(114)] : []),
      text('postgres'),
      text('false'),
      text('12'),
      text('13'),
      text(null),
      Buffer.from([state, ...Buffer.alloc(8)]),
    ];
    return Buffer.concat([...head, int(2), ...entry(21, 1), ...entry(22, 3), ...blocks]);
  }
  const data = Buffer.from([1, 0, 21, 0, 0, 0, 0, 4, 0, 0, 0, ...Buffer.from('1\ta\n'), 0, 0, 0, 0, 0]);

  it.each([12, 13, 14, 15, 16])('reads archive version 1.%i', (minor) => {
    expect(verdictOf(archive(minor, [data]), pgCustom)).toEqual({ end: 'whole' });
    expectCutEverywhere(archive(minor, [data]), pgCustom);
  });

  it('names what is missing, double or strange', () => {
    expect(verdictOf(archive(16, []), pgCustom)).toEqual({
      end: 'cut',
      reason: 'data block 21 and 0 others are missing',
    });
    expect(verdictOf(archive(16, [data, data]), pgCustom)).toMatchObject({
      reason: 'data block 21 is not in the table of contents',
    });
    expect(verdictOf(archive(17, [data]), pgCustom)).toMatchObject({ end: 'unknown' });
    expect(verdictOf(randomBytes(2_000), pgCustom)).toMatchObject({ end: 'cut' });
  });
});

describe('text', () => {
  const rule: TrailerRule = { kind: 'text', endsWith: '-- Dump completed' };

  it.each([
    ['-- Dump completed', 'whole'],
    ['INSERT;\n-- Dump completed on 2026-11-24 22:41:07\n', 'whole'],
    [`${'x'.repeat(600)}\n-- Dump completed\n\n`, 'whole'],
    [`${'x'.repeat(600)}-- Dump completed${'y'.repeat(496)}`, 'cut'],
    ['INSERT;\n-- Dump compl', 'cut'],
    ["INSERT ('-- Dump completed')", 'cut'],
    [`-- Dump completed\n${'x'.repeat(600)}`, 'cut'],
    ['', 'cut'],
  ] as const)('looks for the line in the last 512 bytes: %j', (text, end) => {
    for (const chunkBytes of [1, 500, 10_000]) expect(verdictOf(Buffer.from(text), rule, chunkBytes).end).toBe(end);
  });
});

describe('json', () => {
  it('demands one whole text', () => {
    expect(verdictOf(Buffer.from('{"users":[{"name":"ä"}]}\n'), { kind: 'json' }, 3)).toEqual({ end: 'whole' });
    for (const text of ['', '{"users":[', '{}{}', '{"a":1} trailing', 'null x'])
      expect(verdictOf(Buffer.from(text), { kind: 'json' }).end).toBe('cut');
    expect(verdictOf(Buffer.from([0x22, 0xff, 0x22]), { kind: 'json' }).end).toBe('cut');
  });
});

describe('rdb', () => {
  it('has the check value of CRC-64/Redis', () => {
    const crc = new Crc64();
    crc.update(Buffer.from('12345'));
    crc.update(Buffer.from('6789'));
    expect(crc.value).toBe(0xe9c6d914c4b8d9can);
  });

  it('knows a real snapshot as whole, every cut and every flipped bit as cut', () => {
    const rdb = fixture('redis.rdb');
    for (const chunkBytes of [1, 8, 9, 10, 1_000])
      expect(verdictOf(rdb, { kind: 'rdb' }, chunkBytes)).toEqual({ end: 'whole' });
    expectCutEverywhere(rdb, { kind: 'rdb' });
    for (let bit = 0; bit < rdb.byteLength * 8; bit += 1) {
      const flipped = Buffer.from(rdb);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(verdictOf(flipped, { kind: 'rdb' }).end).toBe('cut');
    }
  });

  it('proves nothing where the server writes no checksum', () => {
    expect(verdictOf(fixture('redis-without-checksum.rdb'), { kind: 'rdb' })).toEqual({
      end: 'unknown',
      reason: 'the Redis snapshot has no checksum (rdbchecksum no)',
    });
  });
});

describe.skipIf(missingTools('the tar trailer', 'tar'))('tar', () => {
  const folder = testFolder();
  const deep = `${'d'.repeat(120)}/${'e'.repeat(120)}`;
  mkdirSync(join(folder, 'src', deep), { recursive: true });
  writeFileSync(join(folder, 'src', deep, 'f'), 'x');
  writeFileSync(join(folder, 'src', 'zeros'), Buffer.alloc(5_000));
  writeFileSync(join(folder, 'src', 'random'), randomBytes(3_000));
  execFileSync(
    'sh',
    [
      '-c',
      'ln random hard; ln -s random soft; mkfifo pipe; truncate -s 1M sparse; for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=sparse bs=4k count=1 seek=$((i*20)) conv=notrunc 2>/dev/null; done',
    ],
    { cwd: join(folder, 'src') },
  );

  it.each([
    ['gnu', '--no-xattrs'],
    ['pax', '--no-xattrs'],
    ['ustar', '--no-xattrs'],
    ['v7', '--no-xattrs'],
    ['gnu', '--sparse'],
    ['pax', '--sparse'],
  ])('walks through the members: %s %s', (format, ...more) => {
    const members =
      format === 'ustar' || format === 'v7' ? ['src/zeros', 'src/random', 'src/hard', 'src/soft'] : ['src'];
    const tar = execFileSync('tar', [`--format=${format}`, ...more, '-cf', '-', ...members], {
      cwd: folder,
      maxBuffer: 1e8,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for (const chunkBytes of [100, 512, 100_000])
      expect(verdictOf(tar, { kind: 'tar' }, chunkBytes)).toEqual({ end: 'whole' });
    let whole = tar.byteLength;
    while (tar[whole - 1] === 0) whole -= 1;
    whole = Math.ceil(whole / 512) * 512 + 1_024;
    for (
      let length = whole - 1;
      length >= 0;
      length -= length % 512 === 0 ? 1 : length % 512 === 511 ? 211 : length % 512
    ) {
      if (verdictOf(tar.subarray(0, length), { kind: 'tar' }, 100_000).end !== 'cut')
        expect.fail(`${String(length)} of ${String(whole)} bytes are not called cut`);
    }
    expect(verdictOf(tar.subarray(0, whole), { kind: 'tar' })).toEqual({ end: 'whole' });
    expect(verdictOf(Buffer.concat([tar.subarray(0, whole), Buffer.from([0])]), { kind: 'tar' }).end).toBe('cut');
    expect(verdictOf(Buffer.concat([tar, tar]), { kind: 'tar' }).end).toBe('cut');
  });

  it('is not misled by a name that holds what looks like a size', () => {
    const name = `${'n'.repeat(200)}\n11 size=7\n`;
    writeFileSync(join(folder, name), randomBytes(3_000));
    const tar = execFileSync('tar', ['--format=pax', '-cf', '-', '--', name], { cwd: folder });
    expect(verdictOf(tar, { kind: 'tar' })).toEqual({ end: 'whole' });
  });

  it('takes an empty archive as whole, and no bytes as cut', () => {
    expect(verdictOf(Buffer.alloc(1_024), { kind: 'tar' })).toEqual({ end: 'whole' });
    expect(verdictOf(Buffer.alloc(0), { kind: 'tar' }).end).toBe('cut');
    expect(verdictOf(randomBytes(10_240), { kind: 'tar' }).end).toBe('cut');
  });
});
