import { randomUUID } from 'node:crypto';
import { LifeboatFailure } from '../model/failures.ts';
import { deleteIfAllowed } from './remove-objects.ts';
import type { Store, StoreProbe } from './store.ts';

const rounds = 3;

/**
 * Finds out whether a store keeps one of two racing writers of the same key out, and how long it takes to answer.
 * @param refusesBadChecksum - tries to store bytes under a checksum that does not fit, with this key
 */
export async function probeStore(
  store: Store,
  refusesBadChecksum: (key: string) => Promise<boolean>,
): Promise<StoreProbe> {
  const folder = `probe/${randomUUID()}`;
  const startedAt = performance.now();
  await store.head(`${folder}/none`);
  const latencyMs = Math.round(performance.now() - startedAt);
  let conditionalPut = true;
  for (let round = 0; round < rounds; round += 1)
    conditionalPut = (await raceForOneKey(store, `${folder}/${String(round)}`)) && conditionalPut;
  const badKey = `${folder}/checksum`;
  try {
    return { address: store.address, conditionalPut, checksums: await refusesBadChecksum(badKey), latencyMs };
  } finally {
    await deleteIfAllowed(store, badKey);
  }
}

/** Whether exactly one of two writers won, and what is stored is what the winner wrote, also after a third, late one. */
async function raceForOneKey(store: Store, key: string): Promise<boolean> {
  const contents = [Buffer.from(`one ${randomUUID()}`), Buffer.from(`other ${randomUUID()}`)];
  try {
    const won = await Promise.all(contents.map((content) => wins(store, key, content)));
    const late = await wins(store, key, Buffer.from(`late ${randomUUID()}`));
    const winner = contents[won.indexOf(true)];
    return !late && won.filter(Boolean).length === 1 && winner !== undefined && winner.equals(await store.get(key));
  } finally {
    await deleteIfAllowed(store, key);
  }
}

async function wins(store: Store, key: string, content: Buffer): Promise<boolean> {
  try {
    await store.put(key, content, { ifAbsent: true });
    return true;
  } catch (error) {
    if (error instanceof LifeboatFailure && error.code === 'ObjectExists') return false;
    throw error;
  }
}
