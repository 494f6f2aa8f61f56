import { createHash } from 'node:crypto';
import { z } from 'zod';
import { formatBytes } from '../../model/duration.ts';
import type { Facts } from '../../model/facts.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import type { ByteSource } from '../../transfer/source.ts';
import { streamFromPod, streamToPod } from '../executors/pod-exec.ts';
import {
  exchangeScript,
  prepareScript,
  type RedisServer,
  receiveScript,
  runRedisScript,
  snapshotCommand,
  snapshotTroubleScript,
} from '../executors/redis-exchange.ts';
import { type PushParser, pushParser } from '../facts/push-parser.ts';
import { type RdbHead, readRdb } from '../facts/rdb.ts';
import { expiredKeys, formOf, gatherRedisFacts } from '../facts/redis.ts';
import type { Method, MethodContext } from './method.ts';

/** Progress lines of `redis-cli --rdb`. */
const chatter = /^(sending |SYNC sent|Transfer finished)/;

const Options = z.strictObject({
  /** Environment variable of the container that holds the password; it may be empty. */
  passwordEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional(),
});
type Options = z.infer<typeof Options>;

/**
 * Redis and Valkey: all databases and functions, as one snapshot that the server sends as to a replica. Users made by
 * ACL SETUSER are not in it. Facts are computed from the captured bytes while they pass.
 * Restore: a second server in the pod loads the snapshot, the live one becomes its replica and then a primary again; so
 * it works with and without an append-only file, keeps replicas attached, and the live data is old or new, never a mix.
 * It needs memory for both, which is checked before. Idempotent because: the marker `.lifeboat-generation` beside the
 * data names the run; what an attempt left is ended by the next. Changes: all keys and functions.
 * Throws: CaptureToolMissing, CredentialMismatch, DumpFailed, DumpEndedEarly, PrerequisitesMissing, RestoreFailed, DiskFull.
 * Source: Redis 7.4 documentation, "Redis persistence" and "Redis replication"; redis-cli `--rdb`.
 */
export const redisRdb: Method<Options> = {
  name: 'redis-rdb',
  options: Options,

  async capture(context) {
    const server = await serverOf(context);
    // not PING: a server that cannot write its own snapshots refuses it, and is the one to be backed up
    await runRedisScript(server, 'ask redis', 'ask DBSIZE >/dev/null', [], 'DumpFailed');
    const gathered = gatherRedisFacts();
    const parser = pushParser(readRdb(gathered.visitor));
    context.progress('take snapshot');
    const source = streamFromPod(server.access, server.pod, snapshotCommand(server), context.signal, (line) =>
      chatter.test(line),
    );
    const stored = context.write('rdb', onlySnapshot(source, parser), {
      minimumProofs: ['status', 'trailer'],
      trailer: { kind: 'rdb' },
      restoreCommand:
        'cat >../dump.rdb   # for the directory of a stopped server with appendonly no; start it, then CONFIG SET appendonly yes where wanted',
    });
    await stored.catch(async (error: unknown) => {
      if (error instanceof LifeboatFailure && error.code === 'DumpFailed')
        await runRedisScript(server, 'take snapshot', snapshotTroubleScript, [], 'DumpFailed');
      throw error;
    });
    const { aux } = finished(parser);
    const seconds = Number(aux.get('ctime'));
    if (!Number.isInteger(seconds))
      throw failure('DumpFailed', { message: 'capture snapshot: it does not say when it was made' });
    return { capturedAt: new Date(seconds * 1_000).toISOString(), facts: gathered.facts(), totals: gathered.totals };
  },

  async restore(context) {
    const server = await serverOf(context);
    const generation = createHash('sha256').update(context.generation).digest('hex').slice(0, 16);
    const port = String(20_000 + (Number.parseInt(generation.slice(0, 4), 16) % 10_000));
    const [directory = '', marker = '', used = '', limit = ''] = (
      await runRedisScript(server, 'prepare redis', prepareScript, [port])
    ).split('\n');
    if (marker === generation) return;
    context.progress('send snapshot');
    const { bytes, sha256 } = context.read('rdb');
    const parser = pushParser(readRdb({ key: () => undefined, function: () => undefined }));
    try {
      await streamToPod(
        server.access,
        server.pod,
        ['sh', '-c', receiveScript, 'sh', directory],
        observed(bytes, parser),
        { sha256 },
        context.signal,
      );
      requireMemory(Number(finished(parser).aux.get('used-mem') ?? 0), Number(used), Number(limit));
      context.progress('load snapshot');
      await runRedisScript(server, 'load snapshot', exchangeScript, [directory, port, generation]);
    } catch (error) {
      await runRedisScript({ ...server, signal: new AbortController().signal }, 'put redis back', prepareScript, [
        port,
      ]).catch(() => undefined);
      throw error;
    }
  },

  async readFacts(context) {
    const server = await serverOf(context);
    return await readFactsOf(server, context.capturedFacts);
  },

  expired: (facts, at) => ({ paths: expiredKeys(facts, at), reason: 'keys whose time to live has passed' }),
};

async function serverOf(context: MethodContext<Options>): Promise<RedisServer> {
  return {
    access: context.backends.access,
    pod: await context.pod(),
    passwordEnv: context.options.passwordEnv,
    signal: context.signal,
  };
}

/** The snapshot without the mark that redis-cli leaves behind it; the digest of all that arrived is held to the pod's. */
function onlySnapshot(source: ByteSource, parser: PushParser<RdbHead>): ByteSource {
  const arrived = createHash('sha256');
  const kept = createHash('sha256');
  return {
    bytes: (async function* () {
      for await (const chunk of source.bytes) {
        arrived.update(chunk);
        const part = chunk.subarray(0, push(parser, chunk));
        if (part.byteLength === 0) continue;
        kept.update(part);
        yield part;
      }
    })(),
    cancel: () => {
      source.cancel();
    },
    end: async () => {
      const report = await source.end();
      if (report.digestSha256 === undefined) return report;
      return {
        ...report,
        digestSha256: report.digestSha256 === arrived.digest('hex') ? kept.digest('hex') : report.digestSha256,
      };
    },
  };
}

function push(parser: PushParser<RdbHead>, chunk: Uint8Array): number {
  try {
    return parser.push(chunk);
  } catch (error) {
    throw failure('DumpFailed', {
      message: `read snapshot: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

function finished(parser: PushParser<RdbHead>): RdbHead {
  if (!parser.done) throw failure('DumpEndedEarly', { message: 'read snapshot: it ends before its last byte' });
  return parser.end();
}

async function* observed(bytes: AsyncIterable<Uint8Array>, parser: PushParser<RdbHead>): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    push(parser, chunk);
    yield chunk;
  }
}

/** At its peak the pod holds the snapshot twice, or the snapshot and what is live. */
function requireMemory(snapshot: number, used: number, limit: number): void {
  const needed = 1.1 * (snapshot + Math.max(snapshot, used));
  if (limit === 0 || needed <= limit) return;
  throw failure('PrerequisitesMissing', {
    message: `load snapshot: it needs ${formatBytes(needed)} of memory in the pod, the limit is ${formatBytes(limit)}`,
  });
}

async function readFactsOf(server: RedisServer, captured: Facts): Promise<Facts> {
  const gathered = gatherRedisFacts(formOf(captured));
  const parser = pushParser(readRdb(gathered.visitor));
  const source = onlySnapshot(
    streamFromPod(server.access, server.pod, snapshotCommand(server), server.signal, (line) => chatter.test(line)),
    parser,
  );
  for await (const _ of source.bytes);
  const report = await source.end();
  if (report.exitCode !== 0 || !report.statusSeen)
    throw failure('DumpFailed', {
      message: `read facts of redis: exit ${String(report.exitCode)}, ${report.lastLine ?? 'no message'}`,
    });
  finished(parser);
  return gathered.facts();
}
