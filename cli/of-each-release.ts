import pMap from 'p-map';
import type { ReleaseName } from '../model/release-name.ts';

/** A store far away answers a request after 50 ms or more: so many releases are asked for beside each other. */
const releasesAtOnce = 16;

/** What a read finds for each of some releases, in their order. The first that throws ends it. */
export async function ofEachRelease<Found>(
  releases: readonly ReleaseName[],
  read: (release: ReleaseName) => Promise<Found>,
): Promise<Found[]> {
  return await pMap(releases, read, { concurrency: releasesAtOnce });
}
