import { hash } from 'node:crypto';
import { z } from 'zod';
import type { Facts, FactTotals } from '../../model/facts.ts';
import { DigestSum } from './digest-sum.ts';
import { pathSegment } from './path-segment.ts';
import { type Parser, type PushParser, pushParser } from './push-parser.ts';
import type { TakeContent } from './tar.ts';
import { readIndex } from './tsdb-index.ts';

const chunksMagic = 0x85bd40dd;
/** The head of a file of deletions, its end, and nothing between them. */
const emptyTombstonesBytes = 9;
/** `<ULID>/<file>`: other files of a data directory are not of a block. */
const blockFile = /(?:^|\/)([0-9A-HJKMNP-TV-Z]{26})\/(meta\.json|index|tombstones|chunks\/[0-9]{6})$/;

const Meta = z.object({
  stats: z.object({
    numSamples: z.number().default(0),
    numSeries: z.number().default(0),
    numChunks: z.number().default(0),
  }),
});

/** Milliseconds since 1970, both ends included. */
export type TimeRange = { readonly from: number; readonly to: number };

/** Gathers the facts of the blocks of a Prometheus data directory from the contents of their files. */
export type TsdbFacts = {
  /** Who takes the content of a file, by its path; undefined for what is not of a block. */
  readonly contentOf: (path: Buffer) => TakeContent | undefined;
  /** After the last file. @throws a plain Error for a block that is not whole or does not hold what it says of itself */
  finish(): { readonly facts: Facts; readonly totals: FactTotals };
};

/**
 * Facts of blocks: of each metric how many series and samples it has and a digest of both, and over which time; whether
 * something is marked deleted. They do not depend on how the samples are spread over blocks, and with `range` not on what
 * was recorded after it. Memory: the index and a few dozen bytes for each chunk of one block at a time, and a digest for
 * each series. Source: Prometheus, tsdb/docs/format/{index,chunks,tombstones}.md.
 */
export function gatherTsdbFacts(range?: TimeRange): TsdbFacts {
  const metrics = new Map<string, { series: Set<string>; samples: number; digest: DigestSum }>();
  const seen = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
  const deletions: Record<string, string> = {};
  let blocks = 0;
  let block: OpenBlock | undefined;

  function addBlock({ name, meta, index, tombstones, segments }: OpenBlock): void {
    if (meta.length === 0 || index.length === 0) throw new Error(`block ${name} is not whole`);
    const { stats } = Meta.parse(JSON.parse(Buffer.concat(meta).toString('utf8')));
    const found = { numSamples: 0, numSeries: 0, numChunks: 0 };
    for (const { labels, chunks } of readIndex(Buffer.concat(index))) {
      found.numSeries += 1;
      const labelDigest = hash('sha256', JSON.stringify(labels), 'buffer').subarray(0, 16);
      const nameAt = labels.indexOf('__name__');
      const metric = nameAt % 2 === 0 ? (labels[nameAt + 1] ?? '') : '';
      for (const { minTime, maxTime, segment, offset } of chunks) {
        const chunk = segments[segment]?.chunkAt(offset);
        if (chunk === undefined) throw new Error(`block ${name} lacks a chunk that its index names`);
        found.numChunks += 1;
        found.numSamples += chunk.samples;
        if (range !== undefined && minTime > range.to) continue;
        const of = metrics.get(metric) ?? { series: new Set(), samples: 0, digest: new DigestSum() };
        metrics.set(metric, of);
        of.series.add(labelDigest.toString('latin1'));
        of.samples += chunk.samples;
        of.digest.add([labelDigest, chunk.digest]);
        seen.from = Math.min(seen.from, minTime);
        seen.to = Math.max(seen.to, maxTime);
      }
    }
    for (const [figure, value] of Object.entries(found))
      if (value !== stats[figure as keyof typeof stats])
        throw new Error(
          `block ${name} holds ${String(value)} (${figure}) and says ${String(stats[figure as keyof typeof stats])}`,
        );
    const deleted = Buffer.concat(tombstones);
    if (deleted.byteLength > emptyTombstonesBytes) deletions[name] = hash('sha256', deleted);
    blocks += 1;
  }

  return {
    contentOf: (path) => {
      const [, name, file] = blockFile.exec(path.toString('latin1')) ?? [];
      if (name === undefined || file === undefined) return undefined;
      if (block !== undefined && block.name !== name) addBlock(block);
      if (block?.name !== name) block = { name, meta: [], index: [], tombstones: [], segments: [] };
      return contentTaker(block, file);
    },
    finish: () => {
      if (block !== undefined) addBlock(block);
      block = undefined;
      const facts: Record<string, string | number> = {};
      const totals = { metrics: metrics.size, series: 0, samples: 0, blocks };
      for (const [metric, { series, samples, digest }] of metrics) {
        const path = `metric/${pathSegment(metric)}`;
        facts[`${path}/series`] = series.size;
        facts[`${path}/samples`] = samples;
        facts[`${path}/digest`] = digest.text;
        totals.series += series.size;
        totals.samples += samples;
      }
      if (metrics.size > 0) Object.assign(facts, { 'range/from': seen.from, 'range/to': seen.to });
      for (const [name, digest] of Object.entries(deletions)) facts[`deletions/${name}`] = digest;
      return { facts, totals };
    },
  };
}

/** The range that facts were gathered over; undefined where there was nothing. */
export function rangeOf(facts: Facts): TimeRange | undefined {
  const from = facts['range/from'];
  const to = facts['range/to'];
  return typeof from === 'number' && typeof to === 'number' ? { from, to } : undefined;
}

type OpenBlock = {
  readonly name: string;
  readonly meta: Buffer[];
  readonly index: Buffer[];
  readonly tombstones: Buffer[];
  /** By number, from 0. */
  readonly segments: Segment[];
};

function contentTaker(block: OpenBlock, file: string): TakeContent {
  const keep =
    (pieces: Buffer[]): TakeContent =>
    (piece) =>
      void pieces.push(Buffer.from(piece));
  if (file === 'meta.json') return keep(block.meta);
  if (file === 'index') return keep(block.index);
  if (file === 'tombstones') return keep(block.tombstones);
  const segment = new Segment();
  block.segments[Number(file.slice('chunks/'.length)) - 1] = segment;
  return (piece) => {
    segment.push(piece);
  };
}

/** A file of chunks: where each begins, how many samples it has, and a digest of it. */
class Segment {
  readonly #offsets: number[] = [];
  readonly #samples: number[] = [];
  readonly #digests: Buffer[] = [];
  readonly #parser: PushParser<void> = pushParser(this.#read());

  push(piece: Buffer): void {
    this.#parser.push(piece);
  }

  chunkAt(offset: number): { samples: number; digest: Buffer } | undefined {
    let low = 0;
    let high = this.#offsets.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#offsets[middle] as number) < offset) low = middle + 1;
      else high = middle;
    }
    const digest = this.#digests[low];
    return this.#offsets[low] === offset && digest !== undefined
      ? { samples: this.#samples[low] as number, digest }
      : undefined;
  }

  *#read(): Parser<void> {
    const head = yield 8;
    if (head.readUInt32BE(0) !== chunksMagic || head[4] !== 1) throw new Error('a file of chunks is damaged');
    for (let offset = 8; ; ) {
      let size = 0;
      let read = 0;
      for (let byte = 0x80; byte >= 0x80; read += 1) {
        const piece = yield -1;
        if (piece.byteLength === 0) return;
        byte = piece[0] as number;
        size += (byte & 0x7f) * 128 ** read;
      }
      // encoding and data; every encoding begins with the number of samples
      const chunk = yield 1 + size;
      yield 4;
      if (size < 2) throw new Error('a chunk is damaged');
      this.#offsets.push(offset);
      this.#samples.push(chunk.readUInt16BE(1));
      this.#digests.push(hash('sha256', chunk, 'buffer').subarray(0, 16));
      offset += read + 1 + size + 4;
    }
  }
}
