import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Readable } from 'node:stream';
import { openS3Store } from '../activities/clients/s3-store.ts';
import { Artifact } from '../model/recovery-point.ts';
import { readArtifact, verifyArtifact } from '../transfer/read-artifact.ts';
import type { Store } from '../transfer/store.ts';
import { writeArtifact } from '../transfer/write-artifact.ts';
import { type ArchivedTree, archiveTree, extractTree, pour } from './archive.ts';

/** How late the event loop was, in ms. */
type Lag = { readonly p99Ms: number; readonly maxMs: number };

/** What `lag` leaves: of a process that has just started, and of the same once it has made backups. */
export type Lags = { readonly fresh: Lag; readonly running: Lag };

/**
 * The data path of Lifeboat as a process of its own, for the bench, started by lifeboat.ts. RECORD is the file that keeps what a verb leaves: the
 * artifact's description, or what was measured. Address and keys come by BENCH_* of the environment.
 *
 * - `backup RECORD`: of its stdin
 * - `restore RECORD`, `verify RECORD`
 * - `archive RECORD DIRECTORY`: of its files; `extract RECORD DIRECTORY` brings them back into an empty one and compares them
 * - `streams RECORD COUNT FILE`: so many backups of a file at once, nothing else
 * - `lag RECORD COUNT FILE`: the same twice, first in a process that has just started; leaves the lag of the event loop in each, in ms
 * - `small RECORD COUNT FILE`: backups of a file, one after the other, each read back and named by an object that is written
 *   where none is, as a manifest; leaves the ms of each, but for the first two
 */
async function main([verb = '', record = '', given = '', file = '']: readonly string[]): Promise<void> {
  const store = await openS3Store(
    { url: `s3://${need('BENCH_BUCKET')}/lifeboat`, endpoint: need('BENCH_ENDPOINT'), region: 'us-east-1' },
    { accessKeyId: need('BENCH_KEY'), secretAccessKey: need('BENCH_SECRET') },
  );
  switch (verb) {
    case 'backup':
      await leave(record, await backUp(store, process.stdin, 'one'));
      return;
    case 'streams':
      await backUpAtOnce(store, Number(given), file);
      return;
    case 'lag':
      await leave(record, {
        fresh: await lagOf(() => backUpAtOnce(store, Number(given), file)),
        running: await lagOf(() => backUpAtOnce(store, Number(given), file)),
      } satisfies Lags);
      return;
    case 'small':
      await leave(record, await backUpInTurn(store, Number(given), file));
      return;
    case 'verify':
      await verifyArtifact({ store, artifact: await recorded(record), identity: need('BENCH_IDENTITY') });
      return;
    case 'restore': {
      const [artifact, identity] = [await recorded(record), need('BENCH_IDENTITY')];
      await pour(readArtifact({ store, artifact, identity }), process.stdout);
      return;
    }
    case 'archive': {
      const prefix = `run-${String(process.pid)}/files`;
      await leave(record, await archiveTree({ store, prefix, recipients: recipients(), directory: given }));
      return;
    }
    case 'extract': {
      const archived = JSON.parse(await readFile(record, 'utf8')) as ArchivedTree;
      await extractTree({ store, identity: need('BENCH_IDENTITY'), archived, directory: given });
      return;
    }
    default:
      throw new Error(`unknown verb ${verb}`);
  }
}

/** As a command would give it: its status is seen, nothing else proves its end. */
async function backUp(store: Store, bytes: Readable, name: string): Promise<Artifact> {
  return await writeArtifact({
    store,
    prefix: `run-${String(process.pid)}/${name}`,
    name: 'bench.dump',
    source: {
      bytes: bytes as AsyncIterable<Uint8Array>,
      disposable: true,
      cancel: () => bytes.destroy(),
      end: () => Promise.resolve({ exitCode: 0, statusSeen: true, trailerSeen: false }),
    },
    recipients: recipients(),
    minimumProofs: ['status'],
    restoreCommand: 'cat',
  });
}

async function backUpAtOnce(store: Store, count: number, file: string): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => String(index));
  await Promise.all(names.map((name) => backUp(store, createReadStream(file), name)));
}

async function lagOf(run: () => Promise<void>): Promise<Lag> {
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  await run();
  lag.disable();
  return { p99Ms: lag.percentile(99) / 1e6, maxMs: lag.max / 1e6 };
}

async function backUpInTurn(store: Store, count: number, file: string): Promise<number[]> {
  const times: number[] = [];
  for (let turn = -2; turn < count; turn += 1) {
    const since = performance.now();
    const artifact = await backUp(store, createReadStream(file), String(turn));
    await verifyArtifact({ store, artifact, identity: need('BENCH_IDENTITY') });
    const key = `manifest-${String(process.pid)}-${String(turn)}`;
    await store.put(key, Buffer.from(JSON.stringify(artifact)), { ifAbsent: true });
    if (turn >= 0) times.push(performance.now() - since);
  }
  return times;
}

function recipients(): string[] {
  return [need('BENCH_RECIPIENT'), need('BENCH_ESCROW')];
}

async function recorded(record: string): Promise<Artifact> {
  return Artifact.parse(JSON.parse(await readFile(record, 'utf8')));
}

async function leave(record: string, found: unknown): Promise<void> {
  await writeFile(record, JSON.stringify(found));
}

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

await main(process.argv.slice(2));
