const indexMagic = 0xbaaad700;
const tocBytes = 6 * 8 + 4;
const seriesAlignment = 16;

/** A chunk as the index of a block knows it. */
export type IndexedChunk = {
  readonly minTime: number;
  readonly maxTime: number;
  /** Number of the file in `chunks/`, from 0, and the place in it. */
  readonly segment: number;
  readonly offset: number;
};

/** A series of a block: its labels as name, value, name, value in the order of the index, and its chunks by time. */
export type IndexedSeries = { readonly labels: readonly string[]; readonly chunks: readonly IndexedChunk[] };

/**
 * The series of a block's index, format 2 (Prometheus 2.0 and later). Throws a plain Error for what is damaged or of
 * another format. Source: Prometheus, tsdb/docs/format/index.md.
 */
export function* readIndex(bytes: Buffer): Generator<IndexedSeries> {
  if (bytes.byteLength < 5 + tocBytes || bytes.readUInt32BE(0) !== indexMagic) throw new Error('its index is damaged');
  if (bytes[4] !== 2) throw new Error(`its index has format ${String(bytes[4])}, which this Lifeboat does not know`);
  const toc = bytes.byteLength - tocBytes;
  const place = (entry: number): number => Number(bytes.readBigUInt64BE(toc + entry * 8));
  const symbols = readSymbols(bytes, place(0));
  // the label indices follow, or the postings where there are none
  const end = [place(2), place(3), place(4), toc].find((at) => at > 0) ?? toc;
  const at: Cursor = { bytes, offset: place(1) };
  for (;;) {
    at.offset = Math.ceil(at.offset / seriesAlignment) * seriesAlignment;
    if (at.offset >= end) return;
    const size = readUvarint(at);
    const next = at.offset + size + 4;
    yield readSeries(at, symbols);
    if (at.offset !== next - 4) throw new Error('a series of its index is damaged');
    at.offset = next;
  }
}

function readSymbols(bytes: Buffer, offset: number): string[] {
  const count = bytes.readUInt32BE(offset + 4);
  const at: Cursor = { bytes, offset: offset + 8 };
  return Array.from({ length: count }, () => {
    const size = readUvarint(at);
    at.offset += size;
    return bytes.toString('utf8', at.offset - size, at.offset);
  });
}

function readSeries(at: Cursor, symbols: readonly string[]): IndexedSeries {
  const labels: string[] = [];
  for (let left = readUvarint(at) * 2; left > 0; left -= 1) {
    const symbol = symbols[readUvarint(at)];
    if (symbol === undefined) throw new Error('a label of its index is damaged');
    labels.push(symbol);
  }
  const chunks: IndexedChunk[] = [];
  let before = 0;
  let reference = 0;
  for (let left = readUvarint(at); left > 0; left -= 1) {
    const isFirst = chunks.length === 0;
    const minTime = isFirst ? readVarint(at) : before + readUvarint(at);
    const maxTime = minTime + readUvarint(at);
    reference = isFirst ? readUvarint(at) : reference + readVarint(at);
    chunks.push({ minTime, maxTime, segment: Math.floor(reference / 2 ** 32), offset: reference % 2 ** 32 });
    before = maxTime;
  }
  return { labels, chunks };
}

type Cursor = { readonly bytes: Buffer; offset: number };

/** Of a number beyond 2^53 the last digits are lost; no time and no place is that large. */
function readUvarint(at: Cursor): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = at.bytes[at.offset];
    if (byte === undefined) throw new Error('its index ends early');
    at.offset += 1;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value;
  }
}

function readVarint(at: Cursor): number {
  const value = readUvarint(at);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
