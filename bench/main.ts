import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { aptInstall } from '../sandbox/machine.ts';
import { createBucket } from '../sandbox/object-store.ts';
import { startOwnObjectStore } from '../sandbox/own-object-store.ts';
import { run } from '../sandbox/run.ts';
import { findTool } from '../workers/tools/find-tool.ts';
import { contenders, type Ground, rcloneEnv } from './contenders.ts';
import { writeDump } from './data.ts';
import { type Cost, measure } from './measure.ts';
import { describeResults, type Results, type Row } from './results.ts';

/**
 * `npm run bench [-- --quick] [--megabytes N] [--rounds N] [--seed N] [--json FILE]`: the data path of Lifeboat beside the tools that
 * people use for the same, on the same seeded data and the same S3 server, in rounds that take turns.
 */
const options = readOptions();
const note = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
await aptInstall(['zstd', 'age', 'rclone', 'restic']);
const directory = await mkdtemp(join(tmpdir(), 'lifeboat-bench-'));
const server = await startServer(directory);
try {
  const identity = await generateIdentity();
  await writeFile(join(directory, 'identity'), `${identity}\n`, { mode: 0o600 });
  const ground: Ground = {
    directory,
    buckets: server.buckets,
    data: join(directory, 'dump'),
    node: process.execPath,
    env: {
      ...server.env,
      BENCH_IDENTITY: identity,
      BENCH_RECIPIENT: await identityToRecipient(identity),
      BENCH_ESCROW: await identityToRecipient(await generateIdentity()),
    },
  };
  note(`data: ${String(options.megabytes)} MB, seed ${String(options.seed)}`);
  const bytes = await writeDump(ground.data, options.megabytes, options.seed);
  const results: Results = {
    at: new Date().toISOString(),
    machine: `${String(cpus().length)} × ${cpus()[0]?.model ?? 'unknown'}`,
    versions: await versions(),
    bytes,
    rounds: options.rounds,
    rows: await takeTurns(ground, bytes),
  };
  process.stdout.write(`${describeResults(results)}\n`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
} finally {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}

/** Every contender once in each round, after a round that is not counted. */
async function takeTurns(ground: Ground, bytes: number): Promise<Row[]> {
  const rows = contenders(ground).map((contender) => ({ ...contender, costs: [] as Cost[] }));
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const { what, name, before, script, costs } of rows) {
      if (before !== undefined) await measure(before, ground.env);
      const cost = await measure(script, ground.env);
      if (round > 0) costs.push(cost);
      note(
        `${round === 0 ? 'warm-up' : `round ${String(round)}`}  ${what} ${name}: ${(bytes / 1e3 / cost.wallMs).toFixed(0)} MB/s`,
      );
    }
  }
  return rows.map(({ what, name, costs }) => ({ what, name, costs }));
}

async function versions(): Promise<Record<string, string>> {
  const first = async (file: string, args: readonly string[]): Promise<string> =>
    (await run(file, args)).split('\n')[0]?.trim() ?? '';
  return {
    node: process.version,
    zstd: await first('zstd', ['--version']),
    age: await first('age', ['--version']),
    rclone: await first('rclone', ['version']),
    restic: await first('restic', ['version']),
  };
}

/** An S3 server of our own, and what its clients need to know of it. */
async function startServer(
  at: string,
): Promise<{ env: Record<string, string>; buckets: string; stop(): Promise<void> }> {
  const [accessKeyId, secretAccessKey, bucket] = ['bench', randomBytes(18).toString('hex'), 'bench'];
  const server = await startOwnObjectStore(await findTool('versitygw', note), { accessKeyId, secretAccessKey });
  const { endpoint } = server;
  await createBucket(
    { s3: { endpoint, podEndpoint: endpoint, region: 'us-east-1', accessKeyId, secretAccessKey } },
    bucket,
  );
  return {
    ...server,
    env: {
      BENCH_ENDPOINT: endpoint,
      BENCH_BUCKET: bucket,
      BENCH_KEY: accessKeyId,
      BENCH_SECRET: secretAccessKey,
      ...rcloneEnv({ endpoint, accessKeyId, secretAccessKey }),
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      RESTIC_PASSWORD: 'bench',
      RESTIC_CACHE_DIR: join(at, 'restic-cache'),
    },
  };
}

function readOptions(): { megabytes: number; rounds: number; seed: number; json: string | undefined } {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      megabytes: { type: 'string' },
      rounds: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const number = (name: 'megabytes' | 'rounds' | 'seed', otherwise: number): number => {
    const given = Number(values[name] ?? otherwise);
    if (!Number.isInteger(given) || given < 1) throw new Error(`--${name}: a whole number above 0`);
    return given;
  };
  return {
    megabytes: number('megabytes', values.quick ? 200 : 1_000),
    rounds: number('rounds', values.quick ? 2 : 5),
    seed: number('seed', 1),
    json: values.json,
  };
}
