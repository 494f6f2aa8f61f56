import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openStore } from '../activities/open-store.ts';
import type { RunResult } from '../model/outcome.ts';
import type { StoreConfig } from '../model/platform.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { lifeboat } from './command.ts';
import type { Setting } from './setting.ts';

/** What a flipped bit led to. */
export type DamageVerdict = {
  readonly object: string;
  readonly exitCode: number;
  readonly refused: boolean;
  readonly code: string;
  readonly message: string;
};

/** One flipped bit in a copy of the store: the recovery has to refuse before it changes anything. */
export async function tryDamaged(sandbox: Sandbox, setting: Setting, rescue: Setting): Promise<DamageVerdict> {
  const copy = await mkdtemp(join(tmpdir(), 'lifeboat-damaged-'));
  try {
    await copyStore(setting.kit.store, setting, copy);
    const object = await flipOneBit(copy, 'shop-data/redis');
    const args = [
      'recover',
      'shop-data/redis',
      '--local',
      '--store',
      `file://${copy}`,
      '--into',
      'never',
      '--kubeconfig',
      sandbox.kubeconfig,
      '--context',
      sandbox.context,
      '--on-failure',
      'abort',
      '--json',
    ];
    const { exitCode, stdout } = await lifeboat(rescue, args);
    const result = JSON.parse(stdout) as RunResult;
    const failure = result.failure ?? result.releases.find((release) => release.failure !== undefined)?.failure;
    const refused =
      exitCode !== 0 &&
      failure !== undefined &&
      ['ArtifactDigestMismatch', 'ArtifactUnreadable'].includes(failure.code) &&
      failure.message.includes(object);
    return { object, exitCode, refused, code: failure?.code ?? '', message: failure?.message ?? '' };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** Copies the whole store into a folder: what a person would do with `aws s3 sync`. @returns how many objects */
async function copyStore(from: StoreConfig, setting: Setting, to: string): Promise<number> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  const credentials = {
    accessKeyId: setting.env['AWS_ACCESS_KEY_ID'] ?? '',
    secretAccessKey: setting.env['AWS_SECRET_ACCESS_KEY'] ?? '',
  };
  const store = await openStore(from, credentials);
  const copy = await openStore({ url: `file://${to}`, region: 'us-east-1' });
  let objects = 0;
  for await (const { key } of store.list('')) {
    await copy.put(key, await store.get(key));
    objects += 1;
  }
  return objects;
}

/** Flips one bit in the middle of a stored object of a release's newest point. @returns its key */
async function flipOneBit(directory: string, release: string): Promise<string> {
  const store = await openStore({ url: `file://${directory}`, region: 'us-east-1' });
  let largest: { key: string; sizeBytes: number } | undefined;
  for await (const object of store.list(`points/sandbox/${release}/`)) {
    if (object.key.endsWith('.zst.age') && object.sizeBytes > (largest?.sizeBytes ?? 0)) largest = object;
  }
  if (largest === undefined) throw new Error(`damage ${release}: the copy has no object of it`);
  const path = join(directory, largest.key);
  const bytes = await readFile(path);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  return largest.key;
}
