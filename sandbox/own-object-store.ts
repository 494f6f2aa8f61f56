import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../workers/free-port.ts';

/** An S3 server of this process. `buckets` is the directory that it serves. */
export type OwnObjectStore = {
  readonly endpoint: string;
  readonly buckets: string;
  /** A line for each request, where it was asked for. */
  readonly accessLog: string;
  stop(): Promise<void>;
};

/**
 * Starts versitygw over a new directory, on a free port of the loopback, and waits until it answers.
 * @param of.versions - whether its buckets can keep versions and lock objects
 * @param of.log - whether it writes its access log
 */
export async function startOwnObjectStore(
  binary: string,
  key: { accessKeyId: string; secretAccessKey: string },
  of: { versions?: boolean; log?: boolean } = {},
): Promise<OwnObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-s3-'));
  const buckets = join(folder, 'buckets');
  await mkdir(buckets);
  const versions = join(folder, 'versions');
  await mkdir(versions);
  const versioning = of.versions === true ? ['--versioning-dir', versions] : [];
  const accessLog = join(folder, 'access.log');
  const logging = of.log === true ? ['--access-log', accessLog] : [];
  const address = `127.0.0.1:${String(await freePort())}`;
  const args = ['--port', address, '--region', 'us-east-1', ...logging, 'posix', ...versioning, buckets];
  const child = spawn(binary, args, {
    env: { ...process.env, ROOT_ACCESS_KEY: key.accessKeyId, ROOT_SECRET_KEY: key.secretAccessKey },
    stdio: 'ignore',
  });
  const kill = (): boolean => child.kill('SIGKILL');
  // a run that dies must not leave a server behind
  process.once('exit', kill);
  await answers(`http://${address}`, child);
  return {
    endpoint: `http://${address}`,
    buckets,
    accessLog,
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      kill();
      await ended;
      process.off('exit', kill);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (child.exitCode !== null) break;
    const up = await fetch(url).then(
      () => true,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`versitygw does not answer at ${url}`);
}
