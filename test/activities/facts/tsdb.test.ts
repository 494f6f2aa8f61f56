import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pushParser } from '../../../activities/facts/push-parser.ts';
import { readTar } from '../../../activities/facts/tar.ts';
import { gatherTsdbFacts, rangeOf, type TimeRange } from '../../../activities/facts/tsdb.ts';

/**
 * Three blocks that `promtool tsdb create-blocks-from openmetrics` of 2.42 made: shop_orders_total of three shops, 300
 * samples each, a minute apart, and temperature of one room, 150 samples.
 */
const archive = readFileSync(join(import.meta.dirname, 'fixtures', 'tsdb-2.42.tar'));
const start = 1_699_999_200_000;

function read(bytes: Buffer, { range, pieces = 4096 }: { range?: TimeRange; pieces?: number } = {}) {
  const gathered = gatherTsdbFacts(range);
  const parser = pushParser(readTar(() => undefined, gathered.contentOf));
  for (let at = 0; at < bytes.byteLength; at += pieces) parser.push(bytes.subarray(at, at + pieces));
  parser.end();
  return gathered.finish();
}

/** The archive with one byte of a member changed, counted from the begin of its content. */
function damaged(member: RegExp, byte: number): Buffer {
  const bytes = Buffer.from(archive);
  for (let at = 0; at < bytes.byteLength; ) {
    const name = bytes.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(bytes.toString('latin1', at + 124, at + 135), 8);
    if (member.test(name)) {
      bytes[at + 512 + byte] = (bytes[at + 512 + byte] ?? 0) ^ 0x01;
      return bytes;
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`no member ${String(member)}`);
}

describe('the facts of Prometheus blocks', () => {
  it('count series and samples of each metric over all blocks, however the bytes arrive', () => {
    const { facts, totals } = read(archive);

    expect(facts).toMatchObject({
      'metric/shop_orders_total/series': 3,
      'metric/shop_orders_total/samples': 900,
      'metric/temperature/series': 1,
      'metric/temperature/samples': 150,
      'range/from': start,
      'range/to': start + 299 * 60_000,
    });
    expect(totals).toEqual({ metrics: 2, series: 4, samples: 1050, blocks: 3 });
    expect(read(archive, { pieces: 1 })).toEqual({ facts, totals });
  });

  it('leave out what was recorded after the captured range', () => {
    const { facts } = read(archive, { range: { from: start, to: start + 119 * 60_000 } });

    expect(facts).toMatchObject({ 'metric/shop_orders_total/samples': 360, 'metric/temperature/samples': 120 });
    expect(rangeOf(facts)).toEqual({ from: start, to: start + 119 * 60_000 });
  });

  it('see one changed bit of a chunk', () => {
    const before = read(archive).facts;
    const after = read(damaged(/chunks\/000001$/, 40)).facts;
    const differing = Object.keys(before).filter((path) => before[path] !== after[path]);
    expect(differing).toHaveLength(1);
    expect(differing[0]).toMatch(/\/digest$/);
  });

  it('see what is marked deleted', () => {
    const deleting = gatherTsdbFacts();
    const parser = pushParser(readTar(() => undefined, deleting.contentOf));
    parser.push(archive);
    parser.end();
    const name = '01M89GS70D6S75RYQ66H7E7ZB1';
    deleting.contentOf(Buffer.from(`${name}/tombstones`))?.(Buffer.from('057f00', 'hex'));

    const marked = ({ facts }: { facts: object }): string[] =>
      Object.keys(facts).filter((path) => path.startsWith('deletions/'));
    expect(marked(read(archive))).toEqual([]);
    expect(marked(deleting.finish())).toEqual([`deletions/${name}`]);
  });

  it('refuse a block of which a file is missing', () => {
    const lacking = gatherTsdbFacts();
    lacking.contentOf(Buffer.from('01M89GS70D6S75RYQ66H7E7ZB1/meta.json'))?.(Buffer.from('{}'));
    expect(() => lacking.finish()).toThrow('block 01M89GS70D6S75RYQ66H7E7ZB1 is not whole');
  });

  it.each([
    ['a block that lacks samples that it says it has', /chunks\/000001$/, 11, /holds .* and says|damaged/],
    ['an index of another format', /index$/, 4, /has format 3/],
    ['an index that is none', /index$/, 0, /its index is damaged/],
    ['a file of chunks that is none', /chunks\/000001$/, 0, /a file of chunks is damaged/],
  ])('refuse %s', (_, member, byte, message) => {
    expect(() => read(damaged(member, byte))).toThrow(message);
  });
});
