import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { aptInstall } from '../sandbox/machine.ts';
import { createBucket } from '../sandbox/object-store.ts';
import { run, waitUntil } from '../sandbox/run.ts';
import { findTool } from '../workers/tools/find-tool.ts';
import { type Contender, contenders, type Ground } from './contenders.ts';
import { writeDump } from './data.ts';
import { type Cost, measure } from './measure.ts';
import { describeResults, type Results, type Row } from './results.ts';

/**
 * `npm run bench [-- --quick] [--megabytes N] [--rounds N] [--json FILE]`: the data path of Lifeboat beside the tools that
 * people use for the same, on the same seeded data and the same S3 server, in rounds that take turns.
 */
const options = readOptions(process.argv.slice(2));
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
  server.stop();
  await rm(directory, { recursive: true, force: true });
}

/** Every contender once in each round, after a round that is not counted. */
async function takeTurns(ground: Ground, bytes: number): Promise<Row[]> {
  const all = contenders(ground);
  const costs = new Map<Contender, Cost[]>(all.map((each) => [each, []]));
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const contender of all) {
      if (contender.before !== undefined) await measure(contender.before, ground.env);
      const cost = await measure(contender.script, ground.env);
      if (round > 0) costs.get(contender)?.push(cost);
      note(
        `${round === 0 ? 'warm-up' : `round ${String(round)}`}  ${contender.what} ${contender.name}: ${(bytes / 1e3 / cost.wallMs).toFixed(0)} MB/s`,
      );
    }
  }
  return all.map(({ what, name }, index) => ({ what, name, costs: costs.get(all[index] as Contender) ?? [] }));
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

/** An S3 server of our own on a free port of the loopback. */
async function startServer(at: string): Promise<{ env: Record<string, string>; stop: () => void }> {
  const versitygw = await findTool('versitygw', note);
  const port = await freePort();
  const [key, secret, bucket] = ['bench', randomBytes(18).toString('hex'), 'bench'];
  const folder = join(at, 'store');
  await mkdir(folder);
  const endpoint = `http://127.0.0.1:${String(port)}`;
  const child = spawn(versitygw, ['--port', `127.0.0.1:${String(port)}`, '--region', 'us-east-1', 'posix', folder], {
    env: { ...process.env, ROOT_ACCESS_KEY: key, ROOT_SECRET_KEY: secret },
    stdio: 'ignore',
  });
  await waitUntil(
    'start the S3 server',
    () =>
      fetch(endpoint).then(
        () => true as const,
        () => undefined,
      ),
    { timeoutMs: 30_000, everyMs: 100 },
  );
  const store = { endpoint, podEndpoint: endpoint, region: 'us-east-1', accessKeyId: key, secretAccessKey: secret };
  await createBucket({ s3: store }, bucket);
  const rclone = { TYPE: 's3', PROVIDER: 'Other', ENDPOINT: endpoint, ACCESS_KEY_ID: key, SECRET_ACCESS_KEY: secret };
  return {
    env: {
      ...{ BENCH_ENDPOINT: endpoint, BENCH_BUCKET: bucket, BENCH_KEY: key, BENCH_SECRET: secret },
      ...Object.fromEntries(Object.entries(rclone).map(([name, value]) => [`RCLONE_CONFIG_S_${name}`, value])),
      ...{ AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret, RESTIC_PASSWORD: 'bench' },
      RESTIC_CACHE_DIR: join(at, 'restic-cache'),
    },
    stop: () => {
      child.kill();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

function readOptions(args: readonly string[]): {
  megabytes: number;
  rounds: number;
  seed: number;
  json: string | undefined;
} {
  const value = (name: string): string | undefined => {
    const at = args.indexOf(name);
    return at === -1 ? undefined : args[at + 1];
  };
  const quick = args.includes('--quick');
  const number = (name: string, otherwise: number): number => {
    const given = Number(value(name) ?? otherwise);
    if (!Number.isInteger(given) || given < 1) throw new Error(`${name}: a whole number above 0`);
    return given;
  };
  return {
    megabytes: number('--megabytes', quick ? 200 : 1_000),
    rounds: number('--rounds', quick ? 2 : 5),
    seed: number('--seed', 1),
    json: value('--json'),
  };
}
