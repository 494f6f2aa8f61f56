import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { PlatformPoint } from '../model/recovery-point.ts';
import type { ChainEntry } from './chain.ts';
import type { Store } from './store.ts';

/** What the author of a platform point knows; the rest is set by the commit. */
export type PlatformPointDraft = Omit<PlatformPoint, 'apiVersion' | 'kind' | 'formatVersion' | 'sequence' | 'previous' | 'committedAt'>;

/** Commits a platform point, as commitManifest does. */
export function commitPlatformPoint(of: { store: Store; kit: RecoveryKit; draft: PlatformPointDraft; now?: Date }): Promise<{ platformPoint: PlatformPoint; sha256: string }> {
  return Promise.reject(new Error(`commitPlatformPoint is not built yet: ${of.draft.id}`));
}

/** The chain of a platform's points, newest first, with what is wrong with each. */
export function readPlatformPoints(of: { store: Store; trustedKeys: readonly string[]; platform: string }): Promise<ChainEntry<PlatformPoint>[]> {
  return Promise.reject(new Error(`readPlatformPoints is not built yet: ${of.platform}`));
}
