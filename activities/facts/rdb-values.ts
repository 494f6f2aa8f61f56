import { createHash, hash } from 'node:crypto';
import { DigestSum, lengthOf } from './digest-sum.ts';
import type { Parser } from './push-parser.ts';
import { intsetEntries, listpackEntries, ziplistEntries, zipmapEntries } from './rdb-packed.ts';
import { readLength, readString } from './rdb-strings.ts';

/** A value of a snapshot, by what it holds and not by how it is packed. */
export type Value = { type: string; digest: string; fieldExpiresMs: number | undefined };

/** Reads the value of a key, by the type that stands before the key. Source: Redis 7.4, rdb.c `rdbLoadObject`. */
export function* readValue(opcode: number): Parser<Value> {
  const plain = (type: string, digest: string): Value => ({ type, digest, fieldExpiresMs: undefined });
  switch (opcode) {
    case 0:
      return plain('string', digest(yield* readString()));
    case 1:
      return plain('list', yield* inOrder(strings(yield* readLength())));
    case 10:
      return plain('list', yield* inOrder(packed(ziplistEntries(yield* readString()))));
    case 14:
    case 18:
      return plain('list', yield* inOrder(quicklist(opcode === 18)));
    case 2:
      return plain('set', yield* anyOrder(strings(yield* readLength()), 1));
    case 11:
      return plain('set', yield* anyOrder(packed(intsetEntries(yield* readString())), 1));
    case 20:
      return plain('set', yield* anyOrder(packed(listpackEntries(yield* readString())), 1));
    case 3:
    case 5:
      return plain('zset', yield* anyOrder(scored(opcode === 5), 2));
    case 12:
    case 17: {
      const bytes = yield* readString();
      return plain(
        'zset',
        yield* anyOrder(packed(withScores(opcode === 12 ? ziplistEntries(bytes) : listpackEntries(bytes))), 2),
      );
    }
    case 4:
      return plain('hash', yield* anyOrder(strings(2 * (yield* readLength())), 2));
    case 9:
    case 13:
    case 16: {
      const bytes = yield* readString();
      return plain(
        'hash',
        yield* anyOrder(
          packed(opcode === 9 ? zipmapEntries(bytes) : opcode === 13 ? ziplistEntries(bytes) : listpackEntries(bytes)),
          2,
        ),
      );
    }
    case 24:
    case 25:
      return yield* readExpiringHash(opcode === 25);
    case 15:
    case 19:
    case 21:
      return plain('stream', yield* readStream(opcode));
    case 7: {
      const sum = createHash('sha256');
      yield* readModule(sum);
      return plain('module', sum.digest('hex').slice(0, 32));
    }
    default:
      throw new Error(`values of type ${String(opcode)} are not known to this Lifeboat`);
  }
}

/** Items of a value, each asked for by `next`, which ends with undefined. */
type Items = () => Parser<Buffer | undefined>;

function strings(count: number): Items {
  let left = count;
  return function* () {
    return left-- > 0 ? yield* readString() : undefined;
  };
}

function packed(entries: Iterator<Buffer>): Items {
  return function* () {
    const next = entries.next();
    return next.done === true ? undefined : next.value;
  };
}

function quicklist(hasContainers: boolean): Items {
  let nodes: number | undefined;
  let entries: Iterator<Buffer> = [][Symbol.iterator]();
  return function* () {
    nodes ??= yield* readLength();
    for (;;) {
      const next = entries.next();
      if (next.done !== true) return next.value;
      if (nodes-- === 0) return undefined;
      const isPlain = hasContainers && (yield* readLength()) === 1;
      const bytes = yield* readString();
      entries = isPlain ? [bytes][Symbol.iterator]() : hasContainers ? listpackEntries(bytes) : ziplistEntries(bytes);
    }
  };
}

function scored(isBinary: boolean): Items {
  let left: number | undefined;
  let score: Buffer | undefined;
  return function* () {
    left ??= 2 * (yield* readLength());
    if (left-- <= 0) return undefined;
    if (score !== undefined) {
      const read = score;
      score = undefined;
      return read;
    }
    const member = Buffer.from(yield* readString());
    score = double(isBinary ? (yield 8).readDoubleLE(0) : yield* readTextDouble());
    return member;
  };
}

function* withScores(entries: Iterable<Buffer>): Generator<Buffer> {
  let isScore = false;
  for (const entry of entries) {
    yield isScore ? double(number(entry.toString())) : entry;
    isScore = !isScore;
  }
}

function number(text: string): number {
  return /^[+-]?inf$/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value === 0 ? 0 : value);
  return bytes;
}

function* readTextDouble(): Parser<number> {
  const length = (yield 1)[0] as number;
  if (length >= 253) return length === 253 ? NaN : length === 254 ? Infinity : -Infinity;
  return number((yield length).toString());
}

/** Digest of items in their order. */
function* inOrder(items: Items): Parser<string> {
  const sum = createHash('sha256');
  for (let item = yield* items(); item !== undefined; item = yield* items()) framed(sum, item);
  return sum.digest('hex').slice(0, 32);
}

/** Digest of groups of items in any order: the sum of the digests of the groups, so that no memory is needed to sort. */
function* anyOrder(items: Items, groupSize: number): Parser<string> {
  const total = new DigestSum();
  for (;;) {
    const group: Buffer[] = [];
    while (group.length < groupSize) {
      const item = yield* items();
      if (item === undefined) return total.text;
      group.push(group.length + 1 < groupSize ? Buffer.from(item) : item);
    }
    total.add(group);
  }
}

function* readExpiringHash(isListpack: boolean): Parser<Value> {
  const earliest = Number((yield 8).readBigInt64LE(0));
  const total = new DigestSum();
  if (isListpack) {
    const entries = [...listpackEntries(yield* readString())];
    for (let at = 0; at + 2 < entries.length; at += 3) total.add(entries.slice(at, at + 3));
  } else {
    for (let left = yield* readLength(); left > 0; left -= 1) {
      // a time to live is stored as its distance from the earliest, plus one
      const ttl = yield* readLength();
      const field = Buffer.from(yield* readString());
      total.add([field, yield* readString(), Buffer.from(String(ttl === 0 ? 0 : ttl + earliest - 1))]);
    }
  }
  return { type: 'hash', digest: total.text, fieldExpiresMs: earliest };
}

/** Entries, last id, groups with their pending entries and consumers; not when a consumer was seen. */
function* readStream(opcode: number): Parser<string> {
  const sum = createHash('sha256');
  for (let nodes = yield* readLength(); nodes > 0; nodes -= 1) {
    framed(sum, yield* readString());
    framed(sum, yield* readString());
  }
  for (let field = 0; field < 3; field += 1) framed(sum, String(yield* readLength()));
  if (opcode >= 19) for (let field = 0; field < 5; field += 1) yield* readLength();
  for (let groups = yield* readLength(); groups > 0; groups -= 1) {
    framed(sum, yield* readString());
    for (let field = 0; field < 2; field += 1) framed(sum, String(yield* readLength()));
    if (opcode >= 19) yield* readLength();
    for (let pending = yield* readLength(); pending > 0; pending -= 1) {
      framed(sum, yield 24);
      framed(sum, String(yield* readLength()));
    }
    const consumers = new DigestSum();
    for (let count = yield* readLength(); count > 0; count -= 1) {
      const parts = [Buffer.from(yield* readString())];
      yield opcode >= 21 ? 16 : 8;
      for (let pending = yield* readLength(); pending > 0; pending -= 1) parts.push(Buffer.from(yield 16));
      consumers.add(parts);
    }
    framed(sum, consumers.text);
  }
  return sum.digest('hex').slice(0, 32);
}

/** A module's value describes itself: kinds and values up to an end mark. */
export function* readModule(sum: { update(bytes: Uint8Array): unknown }): Parser<void> {
  sum.update(Buffer.from(String(yield* readLength())));
  for (let kind = yield* readLength(); kind !== 0; kind = yield* readLength()) {
    sum.update(Buffer.from([kind]));
    if (kind === 1 || kind === 2) sum.update(Buffer.from(String(yield* readLength())));
    else if (kind === 3) sum.update(yield 4);
    else if (kind === 4) sum.update(yield 8);
    else if (kind === 5) sum.update(yield* readString());
    else throw new Error('a value of a module is damaged');
  }
}

function framed(sum: { update(bytes: Uint8Array | string): unknown }, item: Uint8Array | string): void {
  const bytes = typeof item === 'string' ? Buffer.from(item) : item;
  sum.update(lengthOf(bytes));
  sum.update(bytes);
}

function digest(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 32);
}
