import { formatDuration } from '../model/duration.ts';
import { LifeboatFailure } from '../model/failures.ts';
import type { Manifest } from '../model/recovery-point.ts';
import { type ReleaseName, releaseTitle } from '../model/release-name.ts';
import { pointPrefix } from '../transfer/point-names.ts';
import { newestPoint } from '../transfer/points.ts';
import type { ObjectInfo, Store } from '../transfer/store.ts';
import { comparePoint } from '../transfer/store-inventory.ts';
import { ofEachRelease } from './of-each-release.ts';
import type { Session } from './session.ts';

/** Newest point of a release that the replica has whole, and how long before the newest point of the store it was captured; null: none. */
export type ReplicaState = { readonly point: string; readonly behindSeconds: number } | null;

/**
 * How far the replica is behind, by release; undefined where lifeboat.yaml has none. One that does not answer is a problem and
 * leaves the releases out. Reads the newest manifest of each release, no data.
 */
export async function readReplica(
  session: Session,
  releases: readonly ReleaseName[],
  newestAtHome: (release: string) => Manifest | undefined,
): Promise<{ states: ReadonlyMap<string, ReplicaState>; problems: string[] } | undefined> {
  const { platform } = await session.platform();
  if (platform.replica === undefined) return undefined;
  try {
    const [store, { signing }] = [await session.replica(), await session.kit()];
    const states = await ofEachRelease(releases, async (release): Promise<[string, ReplicaState]> => {
      const title = releaseTitle(release);
      const trustedKeys = [signing.publicKey];
      const found = await newestPoint({ store, trustedKeys, release }, (manifest) => isWhole(store, manifest));
      return [title, found === undefined ? null : stateOf(found.manifest, newestAtHome(title))];
    });
    return { states: new Map(states), problems: [] };
  } catch (error) {
    if (!(error instanceof LifeboatFailure)) throw error;
    return { states: new Map(), problems: [`replica ${platform.replica.url}: ${error.code}: ${error.message}`] };
  }
}

/** Whether a store has every object of a point in its size: of one that is damaged at home it may have the manifest alone. */
async function isWhole(store: Store, manifest: Manifest): Promise<boolean> {
  const found: ObjectInfo[] = [];
  for await (const object of store.list(`${pointPrefix(manifest.release, manifest.id)}/`)) found.push(object);
  return comparePoint(manifest, found).missing.length === 0;
}

function stateOf({ id, capturedAt }: Manifest, home: Manifest | undefined): ReplicaState {
  const behindMs = home === undefined ? 0 : Date.parse(home.capturedAt) - Date.parse(capturedAt);
  return { point: id, behindSeconds: Math.max(0, Math.round(behindMs / 1_000)) };
}

/** The cell of a table: `✓` where the replica has the newest point. */
export function replicaCell(state: ReplicaState | undefined, newest: string | null): string {
  if (state === undefined) return '?';
  if (state === null) return newest === null ? '–' : 'nothing yet ✗';
  return state.point === newest ? '✓' : `${formatDuration(state.behindSeconds * 1_000)} behind`;
}
