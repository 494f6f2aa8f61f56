import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { aptInstall } from '../sandbox/machine.ts';
import { createBucket } from '../sandbox/object-store.ts';
import { startOwnObjectStore } from '../sandbox/own-object-store.ts';
import { run } from '../sandbox/run.ts';
import { findTool } from '../workers/tools/find-tool.ts';
import { type Ground, rcloneEnv } from './contenders.ts';
import type { Circumstances } from './results.ts';

/** Where the contenders run: an S3 server of its own, keys and data. */
export type BenchGround = Ground & {
  readonly endpoint: string;
  /** Bytes of the data. */
  readonly bytes: number;
  /** A line for each request that the server got. */
  readonly accessLog: string;
  close(): Promise<void>;
};

/** Says what is done, on stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Programs of other people that the bench may run, Debian's, and how each says its version. */
const tools = { zstd: '--version', age: '--version', rclone: 'version', restic: 'version' } as const;
export type BenchTool = keyof typeof tools;
export const benchTools = Object.keys(tools) as BenchTool[];

/**
 * Installs the tools of the contenders, starts the server and has the data written.
 * @param write - writes the file or the directory of that path, and says how many bytes it has
 */
export async function openBenchGround(
  needed: readonly BenchTool[],
  write: (path: string) => Promise<number>,
): Promise<BenchGround> {
  await aptInstall(needed);
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-bench-'));
  const [accessKeyId, secretAccessKey, bucket] = ['bench', randomBytes(18).toString('hex'), 'bench'];
  const server = await startOwnObjectStore(
    await findTool('versitygw', note),
    { accessKeyId, secretAccessKey },
    { log: true },
  );
  const { endpoint, buckets, accessLog } = server;
  await createBucket(
    { s3: { endpoint, podEndpoint: endpoint, region: 'us-east-1', accessKeyId, secretAccessKey } },
    bucket,
  );
  const identity = await generateIdentity();
  await writeFile(join(directory, 'identity'), `${identity}\n`, { mode: 0o600 });
  const data = join(directory, 'data');
  return {
    ...{ directory, buckets, accessLog, endpoint, data },
    bytes: await write(data),
    node: process.execPath,
    env: {
      BENCH_ENDPOINT: endpoint,
      BENCH_BUCKET: bucket,
      BENCH_KEY: accessKeyId,
      BENCH_SECRET: secretAccessKey,
      BENCH_IDENTITY: identity,
      BENCH_RECIPIENT: await identityToRecipient(identity),
      BENCH_ESCROW: await identityToRecipient(await generateIdentity()),
      ...rcloneEnv({ endpoint, accessKeyId, secretAccessKey }),
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      BENCH_RESTIC: needed.includes('restic') ? await findTool('restic', note) : '',
      RESTIC_PASSWORD: 'bench',
      RESTIC_CACHE_DIR: join(directory, 'restic-cache'),
    },
    close: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Now, this machine, `2 × AMD EPYC` as the kernel names it, and the versions of what takes part. */
export async function circumstances(
  needed: readonly BenchTool[],
): Promise<Pick<Circumstances, 'at' | 'machine' | 'versions'>> {
  const said: Record<string, string> = { node: process.version };
  for (const tool of needed) said[`${tool} of Debian`] = await versionOf(tool, tools[tool]);
  if (needed.includes('restic')) said['restic'] = await versionOf(await findTool('restic', note), tools.restic);
  const machine = `${String(cpus().length)} × ${cpus()[0]?.model ?? 'unknown'}`;
  return { at: new Date().toISOString(), machine, versions: said };
}

async function versionOf(program: string, argument: string): Promise<string> {
  return (await run(program, [argument])).split('\n')[0]?.trim() ?? '';
}
