import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pushParser } from '../../../activities/facts/push-parser.ts';
import { readRdb } from '../../../activities/facts/rdb.ts';
import { expiredKeys, formOf, gatherRedisFacts, type RedisFactsForm } from '../../../activities/facts/redis.ts';
import type { Facts } from '../../../model/facts.ts';

/** One content, written by five servers, with their default packing and without any. */
const sameContent = ['redis-6.2', 'redis-7.0-packed', 'redis-7.0-unpacked', 'redis-7.4', 'valkey-8.1'];

function fixture(name: string): Buffer {
  return readFileSync(join(import.meta.dirname, 'fixtures', `${name}.rdb`));
}

function read(
  bytes: Buffer,
  chunkBytes = 1_000_000,
  form?: RedisFactsForm,
): { facts: Facts; used: number; totals: object } {
  const gathered = gatherRedisFacts(form);
  const parser = pushParser(readRdb(gathered.visitor));
  let used = 0;
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) used += parser.push(bytes.subarray(at, at + chunkBytes));
  parser.end();
  return { facts: gathered.facts(), used, totals: gathered.totals };
}

/** A stream says when an entry was delivered, which differs between the servers that made the fixtures. */
function withoutStream({ facts }: { facts: Facts }): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => !String(value).startsWith('stream ')));
}

describe('readRdb', () => {
  it.each(sameContent)('reads the same keys and values from %s, however they are packed', (name) => {
    const { totals } = read(fixture(name));

    expect(totals).toEqual({ databases: 2, keys: 18, expiring: 1, functions: 0 });
    expect(withoutStream(read(fixture(name)))).toEqual(withoutStream(read(fixture('redis-7.0-packed'))));
  });

  it.each([1, 7, 512])('reads the same from chunks of %i bytes', (chunkBytes) => {
    expect(read(fixture('redis-7.0-packed'), chunkBytes)).toEqual(read(fixture('redis-7.0-packed')));
  });

  it('uses the bytes of the snapshot and none of what redis-cli leaves behind it', () => {
    const bytes = fixture('redis-7.0-packed');
    const { used } = read(Buffer.concat([bytes, Buffer.from('f78b8a914141089 6bf86649d1c0c964282d42523')]), 100);

    expect(used).toBe(bytes.byteLength);
  });

  it('sees a value that changed', () => {
    const bytes = fixture('redis-7.0-unpacked');
    const at = bytes.indexOf('naïve');
    bytes.write('N', at);

    expect(read(bytes).facts['db/0/key/s:text']).not.toBe(read(fixture('redis-7.0-packed')).facts['db/0/key/s:text']);
  });

  it('reads hashes whose fields have a time to live, packed or not', () => {
    const packed = read(fixture('redis-7.4-field-ttl-packed')).facts;

    expect(packed).toEqual(read(fixture('redis-7.4-field-ttl-unpacked')).facts);
    expect(packed['db/0/key/h']).toMatch(/^hash 3:[0-9a-f]{32} - 4102444800123$/);
  });

  it('says that a cut snapshot ends early', () => {
    expect(() => read(fixture('redis-7.0-packed').subarray(0, 5_000))).toThrow('ends early');
  });

  it('refuses what is no snapshot, and a type that it does not know', () => {
    expect(() => read(Buffer.from('-NOAUTH Authentication required.\r\n'))).toThrow(
      'does not begin as a Redis snapshot',
    );
    expect(() => read(Buffer.concat([Buffer.from('REDIS0099'), Buffer.from([99, 1, 97])]))).toThrow('type 99');
  });
});

describe('gatherRedisFacts', () => {
  it('sums keys in the form that was captured, with those that end by their minute', () => {
    const { facts } = read(fixture('redis-7.0-packed'), 1_000_000, 'sums');

    expect(formOf(facts)).toBe('sums');
    expect(Object.keys(facts).sort()).toEqual([
      'db/0/ends/2100-01-01T00:00:00.000Z',
      'db/0/stays/hash',
      'db/0/stays/list',
      'db/0/stays/set',
      'db/0/stays/stream',
      'db/0/stays/string',
      'db/0/stays/zset',
      'db/3/stays/string',
      'form',
    ]);
    expect(withoutStream({ facts })['db/0/stays/hash']).toBe(
      read(fixture('redis-6.2'), 1_000_000, 'sums').facts['db/0/stays/hash'],
    );
  });
});

describe('expiredKeys', () => {
  it('names keys that have ended, and hashes of which a field has', () => {
    const { facts } = read(fixture('redis-7.4-field-ttl-packed'));

    expect(expiredKeys(facts, new Date(4_102_444_700_000))).toEqual(['db/0/key/k']);
    expect(expiredKeys(facts, new Date(4_102_444_800_123)).sort()).toEqual(['db/0/key/h', 'db/0/key/k']);
    expect(expiredKeys(facts, new Date(0))).toEqual([]);
  });

  it('names the minutes that have begun where keys are summed', () => {
    const { facts } = read(fixture('redis-7.0-packed'), 1_000_000, 'sums');

    expect(expiredKeys(facts, new Date('2100-01-01T00:00:01Z'))).toEqual(['db/0/ends/2100-01-01T00:00:00.000Z']);
  });
});
