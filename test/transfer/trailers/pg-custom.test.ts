import { describe, expect, it } from 'vitest';
import { verdictOf } from './verdict-of.ts';

type Entry = { readonly id: number; readonly state?: number; readonly dependencies?: readonly string[] };
type Archive = {
  readonly version?: readonly [major: number, minor: number];
  readonly int?: number;
  readonly offset?: number;
  readonly format?: number;
  readonly entries?: readonly Entry[];
  readonly blocks?: readonly Buffer[];
};

const hasData = 1;
const noData = 3;

/** Parts of an archive whose integers have so many bytes. */
function partsOf(bytes: number) {
  const int = (value: number): Buffer => {
    const part = Buffer.alloc(1 + bytes);
    part[0] = value < 0 ? 1 : 0;
    part.writeUIntLE(Math.abs(value), 1, Math.min(bytes, 6));
    return part;
  };
  const text = (value: string | null): Buffer =>
    value === null ? int(-1) : Buffer.concat([int(value.length), Buffer.from(value)]);
  const pieces = (...lengths: number[]): Buffer[] => [
    ...lengths.map((length) => Buffer.concat([int(length), Buffer.alloc(length, 'x')])),
    int(0),
  ];
  return {
    int,
    text,
    data: (id: number, ...lengths: number[]) => Buffer.concat([Buffer.from([1]), int(id), ...pieces(...lengths)]),
    largeObjects: (id: number, ...oids: number[]) =>
      Buffer.concat([Buffer.from([3]), int(id), ...oids.flatMap((oid) => [int(oid), ...pieces(300, 2)]), int(0)]),
  };
}

function archive(of: Archive): Buffer {
  const { version = [1, 16], int: intBytes = 4, offset = 8, format = 1, entries = [], blocks = [] } = of;
  const [, minor] = version;
  const { int, text } = partsOf(intBytes);
  const entry = ({ id, state = hasData, dependencies = ['12', '13'] }: Entry): Buffer[] => [
    ...[int(id), int(state === noData ? 0 : 1)],
    ...[text('1259'), text('16385'), text('orders'), text('TABLE DATA')],
    int(3),
    ...[text('COPY'), text(''), text(null), text('public'), text('')],
    ...(minor >= 14 ? [text('heap')] : []),
    ...(minor >= 16 ? [int(114)] : []),
    ...[text('postgres'), text('false')],
    ...[...dependencies.map((each) => text(each)), text(null)],
    Buffer.from([state, ...Buffer.alloc(offset)]),
  ];
  return Buffer.concat([
    Buffer.from('PGDMP'),
    Buffer.from([...version, 0, intBytes, offset, format]),
    minor >= 15 ? Buffer.from([1]) : int(-1),
    ...[30, 41, 22, 24, 10, 126, 0].map(int),
    ...[text('shop'), text('18.1'), text('18.1')],
    int(entries.length),
    ...entries.flatMap(entry),
    ...blocks,
  ]);
}

const verdict = (of: Archive) => verdictOf(archive(of), { kind: 'pg-custom-toc' }, 7);
const cut = (reason: string) => ({ end: 'cut', reason });
const whole = { end: 'whole' };
const { data, largeObjects } = partsOf(4);

describe('pg-custom-toc, part by part', () => {
  it('expects a block for each entry that has data, in any order, and for no other', () => {
    const entries = [{ id: 7 }, { id: 8, state: noData }, { id: 9 }, { id: 10 }];
    const blocks = [data(9, 5, 300), data(7), largeObjects(10, 16_400, 16_401)];
    expect(verdict({ entries, blocks })).toEqual(whole);
    expect(verdict({ entries, blocks: blocks.slice(1) })).toEqual(cut('data block 9 and 0 others are missing'));
    expect(verdict({ entries, blocks: blocks.slice(2) })).toEqual(cut('data block 7 and 1 others are missing'));
    expect(verdict({ entries, blocks: [...blocks, data(8)] })).toEqual(
      cut('data block 8 is not in the table of contents'),
    );
    expect(verdict({ entries: [{ id: 8, state: noData }] })).toEqual(whole);
    expect(verdict({})).toEqual(whole);
  });

  it('takes an entry whose offset was never set for one with data', () => {
    for (const state of [1, 2]) expect(verdict({ entries: [{ id: 7, state }] }).end).toBe('cut');
    expect(verdict({ entries: [{ id: 7, state: 2 }], blocks: [data(7)] })).toEqual(whole);
  });

  it.each([0, 2, 4])('knows no block of kind %i', (kind) => {
    const block = data(7, 3);
    block[0] = kind;
    expect(verdict({ entries: [{ id: 7 }], blocks: [block] })).toEqual(cut('data block 7 is of no known kind'));
  });

  it('names the block in which it ends', () => {
    const ends = (block: Buffer) => verdict({ entries: [{ id: 7 }], blocks: [block.subarray(0, -1)] });
    expect(ends(data(7, 3))).toEqual(cut('it ends inside data block 7'));
    expect(ends(largeObjects(7, 1).subarray(0, -5))).toEqual(cut('it ends inside the large objects of block 7'));
    expect(ends(largeObjects(7, 1))).toEqual(cut('it ends inside the archive'));
    expect(verdict({ entries: [{ id: 7 }], blocks: [largeObjects(7)] })).toEqual(whole);
  });

  it('reads an entry with dependencies, and one without', () => {
    for (const minor of [12, 13, 14, 15, 16])
      for (const dependencies of [[], ['1'], ['1', '22', '', '333']]) {
        const entries = [{ id: 7, dependencies }, { id: 8 }];
        expect(verdict({ version: [1, minor], entries, blocks: [data(7), data(8)] })).toEqual(whole);
      }
  });

  it.each([4, 5, 6, 7, 8])('reads integers and offsets of %i bytes', (bytes) => {
    const parts = partsOf(bytes);
    const blocks = [parts.data(7, 70_000), parts.largeObjects(8, 16_400)];
    const entries = [{ id: 7 }, { id: 8 }];
    expect(verdict({ int: bytes, offset: bytes, entries, blocks })).toEqual(whole);
  });

  it('calls a header with other sizes damaged', () => {
    for (const bytes of [3, 9, 0]) {
      const damaged = archive({});
      damaged[8] = bytes;
      expect(verdictOf(damaged, { kind: 'pg-custom-toc' })).toEqual(cut('the header of the archive is damaged'));
      damaged[8] = 4;
      damaged[9] = bytes;
      expect(verdictOf(damaged, { kind: 'pg-custom-toc' })).toEqual(cut('the header of the archive is damaged'));
    }
  });

  it('knows its own format and the versions that it was made for', () => {
    expect(verdict({ format: 3 })).toEqual(cut('it is not an archive in the custom format'));
    for (const version of [
      [1, 11],
      [1, 17],
      [2, 0],
      [0, 16],
    ] as const)
      expect(verdict({ version })).toEqual({
        end: 'unknown',
        reason: `archive version ${version.join('.')} of pg_dump is not known to this Lifeboat`,
      });
    for (const minor of [12, 13, 14, 15, 16])
      expect(verdict({ version: [1, minor], entries: [{ id: 7 }], blocks: [data(7)] })).toEqual(whole);
    expect(verdictOf(Buffer.from('PGDMX rather long text'), { kind: 'pg-custom-toc' })).toEqual(
      cut('it does not begin as an archive of pg_dump'),
    );
    expect(verdictOf(Buffer.from('PGDMP'), { kind: 'pg-custom-toc' })).toEqual(
      cut('it ends inside the header of the archive'),
    );
  });
});
