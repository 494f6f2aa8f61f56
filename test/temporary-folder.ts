import { execFile } from 'node:child_process';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/*
 * What a run of tests keeps for a while lies in one folder, which is removed after the last of them. Each project of a run asks;
 * the first one that does makes it, since paths of sockets must stay short.
 */
let folder: string | undefined;

export async function setup(): Promise<void> {
  if (process.env['LIFEBOAT_TEST_FOLDER'] !== undefined) return;
  folder = await mkdtemp(join(tmpdir(), 'lifeboat-'));
  await chmod(folder, 0o1777);
  process.env['LIFEBOAT_TEST_FOLDER'] = folder;
  process.env['TMPDIR'] = folder;
}

export async function teardown(): Promise<void> {
  if (folder === undefined) return;
  // what a test that was killed has mounted there is not ours to empty
  await promisify(execFile)('rm', ['-rf', '--one-file-system', folder]).catch(() => undefined);
}
