import { createHash } from 'node:crypto';
import type { Parser } from './push-parser.ts';
import { readLength, readString } from './rdb-strings.ts';
import { readModule, readValue } from './rdb-values.ts';

/** One key of a snapshot. `digest` says nothing of how the value is packed, so it is the same on another server. */
export type RdbKey = {
  readonly db: number;
  readonly name: Buffer;
  readonly type: string;
  readonly digest: string;
  /** Instants in milliseconds since 1970, where the key, or the first field of a hash, ends. */
  readonly expiresMs: number | undefined;
  readonly fieldExpiresMs: number | undefined;
};

/** Who is told what a snapshot holds. */
export type RdbVisitor = { key(key: RdbKey): void; function(code: Buffer): void };

/** What a snapshot says of itself. */
export type RdbHead = { readonly version: number; readonly aux: ReadonlyMap<string, string> };

/**
 * Reads a Redis snapshot, versions 1 to 12 (Redis up to 8, Valkey up to 8). Keys are told as they come: memory is bounded
 * by the largest string. Throws a plain Error for what is damaged or newer; the caller says which capture it was.
 * Source: Redis 7.4, rdb.c `rdbLoadRio` and `rdbLoadObject`, rdb.h.
 */
export function* readRdb(visitor: RdbVisitor): Parser<RdbHead> {
  const head = (yield 9).toString('latin1');
  const version = Number(/^REDIS([0-9]{4})$/.exec(head)?.[1]);
  if (Number.isNaN(version)) throw new Error('it does not begin as a Redis snapshot');
  const aux = new Map<string, string>();
  let db = 0;
  let expiresMs: number | undefined;
  for (;;) {
    const opcode = (yield 1)[0] as number;
    switch (opcode) {
      case 0xff:
        if (version >= 5) yield 8;
        return { version, aux };
      case 0xfe:
        db = yield* readLength();
        break;
      case 0xfd:
        expiresMs = (yield 4).readInt32LE(0) * 1_000;
        break;
      case 0xfc:
        expiresMs = Number((yield 8).readBigInt64LE(0));
        break;
      case 0xfb:
        yield* readLength();
        yield* readLength();
        break;
      case 0xfa: {
        const name = yield* readString();
        aux.set(name.toString(), (yield* readString()).toString());
        break;
      }
      case 0xf9:
        yield 1;
        break;
      case 0xf8:
        yield* readLength();
        break;
      case 0xf7:
        yield* readModule(createHash('sha256'));
        break;
      case 0xf5:
        visitor.function(yield* readString());
        break;
      case 0xf4:
        for (let field = 0; field < 3; field += 1) yield* readLength();
        break;
      default: {
        const name = Buffer.from(yield* readString());
        const value = yield* readValue(opcode);
        visitor.key({ db, name, expiresMs, ...value });
        expiresMs = undefined;
      }
    }
  }
}
