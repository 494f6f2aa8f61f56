import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import type { FaultsGround } from './faults-ground.ts';

/** The largest object of a point: the stream that a restore needs most. */
async function largestObject(ground: FaultsGround, release: string, point: string): Promise<string> {
  let largest: { key: string; sizeBytes: number } | undefined;
  for await (const object of ground.store.list(`points/sandbox/${release}/${point}/`)) {
    if (object.key.endsWith('.zst.age') && object.sizeBytes > (largest?.sizeBytes ?? 0)) largest = object;
  }
  if (largest === undefined) throw new Error(`damage ${release}: the point ${point} has no object`);
  return largest.key;
}

/** Flips one bit in the middle of the largest object, as a disk does: behind the server's back. @returns its key */
export async function flipOneBit(ground: FaultsGround, release: string, point: string): Promise<string> {
  const key = await largestObject(ground, release, point);
  const bytes = await readFile(ground.objectFile(key));
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(ground.objectFile(key), bytes, { flag: 'r+' });
  return key;
}

/** Cuts the last kilobyte of the largest object. @returns its key */
export async function cutTheEnd(ground: FaultsGround, release: string, point: string): Promise<string> {
  const key = await largestObject(ground, release, point);
  const { length } = await readFile(ground.objectFile(key));
  await truncate(ground.objectFile(key), length - 1_024);
  return key;
}

/** Removes a point's manifest, found by its id. @returns its key */
export async function removeManifest(ground: FaultsGround, release: string, point: string): Promise<string> {
  for await (const { key } of ground.store.list(`manifests/sandbox/${release}/`)) {
    const { document } = JSON.parse((await ground.store.get(key)).toString('utf8')) as { document: { id: string } };
    if (document.id !== point) continue;
    await rm(ground.objectFile(key));
    return key;
  }
  throw new Error(`damage ${release}: the point ${point} has no manifest`);
}
