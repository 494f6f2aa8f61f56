import { describe, expect, it } from 'vitest';
import { verdictOf } from './verdict-of.ts';

type Fields = { readonly type?: string; readonly size?: number | Buffer; readonly sparse?: boolean };

/** A header as ustar has it, with a checksum that fits. */
function header({ type = '0', size = 0, sparse = false }: Fields = {}): Buffer {
  const block = Buffer.alloc(512);
  block.write('name', 0);
  if (typeof size === 'number') block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else size.copy(block, 124);
  block.write(type, 156, 'latin1');
  if (sparse) block[482] = 1;
  return withChecksum(block);
}

function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** A header and its data, which look like the end of an archive. */
const member = (bytes: number, more: Fields = {}): Buffer =>
  Buffer.concat([header({ size: bytes, ...more }), Buffer.alloc(Math.ceil(bytes / 512) * 512)]);

const pax = (records: string, type = 'x'): Buffer => {
  const data = Buffer.alloc(Math.ceil(records.length / 512) * 512);
  data.write(records, 'latin1');
  return Buffer.concat([header({ type, size: records.length }), data]);
};

const end = Buffer.alloc(1_024);
const tar = (...parts: readonly Buffer[]) => verdictOf(Buffer.concat(parts), { kind: 'tar' }, 700);
const cut = (reason: string) => ({ end: 'cut', reason });
const whole = { end: 'whole' };

describe('tar, header by header', () => {
  it('passes over data by its size, padded to blocks', () => {
    for (const size of [0, 1, 511, 512, 513, 1_024, 5_000]) {
      expect(tar(member(size), member(3), end)).toEqual(whole);
      expect(tar(header({ size: size + 512 }), Buffer.alloc(size), end.subarray(0, 512)).end).toBe('cut');
    }
  });

  it('demands two zero blocks, nothing but zeros behind them, and whole blocks', () => {
    expect(tar(member(1), end, Buffer.alloc(9 * 512))).toEqual(whole);
    expect(tar(member(1))).toEqual(cut('it ends inside a tar header or the end of the archive'));
    expect(tar(member(1), Buffer.alloc(512))).toEqual(cut('it ends inside the second zero block of the tar archive'));
    expect(tar(member(1), Buffer.alloc(512), member(1))).toEqual(
      cut('a single zero block stands inside the tar archive'),
    );
    expect(tar(end, Buffer.alloc(511), Buffer.from([1]))).toEqual(cut('bytes follow the end of the tar archive'));
    expect(tar(end, Buffer.alloc(512), Buffer.from([0, 1]))).toEqual(cut('bytes follow the end of the tar archive'));
    expect(tar(end, Buffer.alloc(3))).toEqual(cut('the tar archive ends inside a block'));
  });

  it('sees any other byte in a header', () => {
    for (let at = 0; at < 512; at += 1) {
      const damaged = header({ size: 3 });
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      if (tar(damaged, Buffer.alloc(512), end).end !== 'cut' && (at < 154 || at > 155))
        expect.fail(`byte ${String(at)}`);
    }
    expect(tar(header({ size: 3 }).fill('9', 148, 155), end)).toEqual(cut('a tar header is damaged'));
  });

  it.each(['1', '2', '3', '4', '5', '6'])(
    'expects no data behind a member of type %s, whatever size it states',
    (type) => {
      expect(tar(header({ type, size: 9_999 }), member(1), end)).toEqual(whole);
    },
  );

  it.each(['0', '7', '\0', 'L', 'K', 'g', 'S'])('expects data behind a member of type %j', (type) => {
    expect(tar(header({ type, size: 1_024 }), Buffer.alloc(1_024, 'x'), end)).toEqual(whole);
    expect(tar(header({ type, size: 1_024 }), Buffer.alloc(512, 'x'), end).end).toBe('cut');
  });

  it('reads a size of 8 GiB and more, as GNU writes it', () => {
    const big = Buffer.alloc(12);
    big[0] = 0x80;
    big.writeUIntBE(1_200, 6, 6);
    expect(tar(header({ size: big }), Buffer.alloc(1_536, 'x'), end)).toEqual(whole);
    big.writeUIntBE(8 * 1024 ** 3, 6, 6);
    expect(tar(header({ size: big }), end)).toEqual(cut('it ends inside a member of the tar archive'));
    expect(tar(header({ size: Buffer.alloc(12, 0xff) }), end)).toEqual(cut('a tar header states no size'));
  });

  it('reads octal digits with zeros, spaces or nothing around them, and nothing else', () => {
    for (const text of ['00000002001', '000000002001', '   2001 \0\0\0\0', '2001', '\0 2001\0'])
      expect(tar(header({ size: Buffer.from(text.padEnd(12, '\0')) }), Buffer.alloc(1_536, 'x'), end)).toEqual(whole);
    expect(tar(header({ size: Buffer.alloc(12) }), end)).toEqual(whole);
    for (const text of ['rubbish', '2001x', '20019', '-1', '0x10'])
      expect(tar(header({ size: Buffer.from(text.padEnd(12, '\0')) }), end)).toEqual(
        cut('a tar header states no size'),
      );
  });

  it('takes the size of an extended header for the next member, over those that stand between', () => {
    const data = Buffer.alloc(2_048, 'x');
    expect(tar(pax('13 size=2000\n'), header({ size: 1 }), data, member(1), end)).toEqual(whole);
    for (const type of ['L', 'K', 'g'])
      expect(tar(pax('13 size=2000\n'), header({ type, size: 1 }), Buffer.alloc(512), header(), data, end)).toEqual(
        whole,
      );
    expect(tar(pax('13 size=2000\n'), pax('9 path=a\n'), header({ size: 1 }), data, end)).toEqual(whole);
    expect(tar(pax('9 path=a\n', 'g'), header({ size: 2_000 }), data, end)).toEqual(whole);
  });

  it('reads an extended header record by record', () => {
    const data = Buffer.alloc(2_048, 'x');
    for (const records of [
      '20 path=aa size=1\n\n\n13 size=2000\n',
      '13 size=2000\n9 path=a\n',
      '12 size=999\n13 size=2000\n',
      '13 size=2000\nrubbish',
      '13 size=2000\n0 size=1\n',
      '13 size=2000\n-5 size=1\n',
    ])
      expect(tar(pax(records), header({ size: 1 }), data, end), records).toEqual(whole);
    for (const records of ['11 size=1x\n', '11 xsize=1\n', '11 size=1\nx', '', 'rubbish', '10size=1\n'])
      expect(tar(pax(records), header({ size: 2_000 }), data, end), records).toEqual(whole);
  });

  it('calls an extended header of more than 8 MiB damage', () => {
    expect(tar(header({ type: 'x', size: 8 * 1024 * 1024 + 1 }))).toEqual(cut('an extended tar header is damaged'));
    expect(tar(header({ type: 'x', size: 8 * 1024 * 1024 }))).toEqual(cut('it ends inside an extended tar header'));
  });

  it('passes over the maps of a sparse member, as many as there are', () => {
    const map = (more: boolean): Buffer => {
      const block = Buffer.alloc(512, 'm');
      block[504] = more ? 1 : 0;
      return block;
    };
    const data = Buffer.alloc(512, 'x');
    const sparse = { type: 'S', size: 512 };
    expect(tar(header(sparse), data, end)).toEqual(whole);
    expect(tar(header({ ...sparse, sparse: true }), map(false), data, end)).toEqual(whole);
    expect(tar(header({ ...sparse, sparse: true }), map(true), map(false), data, end)).toEqual(whole);
    expect(tar(header({ ...sparse, sparse: true }), map(true))).toEqual(
      cut('it ends inside a sparse map of the tar archive'),
    );
    expect(tar(header({ type: '0', size: 512, sparse: true }), data, end)).toEqual(whole);
  });
});
