import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Manifest, Verification } from '../model/recovery-point.ts';
import type { ReleaseName } from '../model/release-name.ts';
import type { ChainEntry } from './chain.ts';
import type { Store } from './store.ts';

/** What the author of a manifest knows; the rest is set by the commit. */
export type ManifestDraft = Omit<Manifest, 'apiVersion' | 'kind' | 'formatVersion' | 'sequence' | 'previous' | 'committedAt' | 'suspect' | 'plainBytes' | 'storedBytes'> & {
  /** A reason of the caller not to trust the point; the commit adds its own. */
  readonly suspect?: string | null | undefined;
};

/** A committed manifest and the SHA-256 of its stored bytes. */
export type CommittedManifest = { readonly manifest: Manifest; readonly sha256: string };

/** A point of a release's chain. */
export type ChainPoint = ChainEntry<Manifest>;

/** A point that can be used, with its verifications, newest first. */
export type FoundPoint = CommittedManifest & { readonly key: string; readonly verifications: readonly Verification[] };

/**
 * Commits a recovery point by one conditional PUT on the next number of the chain.
 * Idempotent because: a manifest with the draft's id that is there already is the answer.
 * Throws: ObjectExists (ten other writers were faster), Store*.
 */
export function commitManifest(of: { store: Store; kit: RecoveryKit; draft: ManifestDraft; now?: Date }): Promise<CommittedManifest> {
  return Promise.reject(new Error(`commitManifest is not built yet: ${of.draft.id}`));
}

/** The chain of a release, newest first; broken, missing and invalid links are entries with their failure. */
export function readChain(of: { store: Store; trustedKeys: readonly string[]; release: ReleaseName }): Promise<ChainPoint[]> {
  return Promise.reject(new Error(`readChain is not built yet: ${of.release.name}`));
}

/**
 * Finds a point: `latest` is the newest one, `latest-verified` the newest that is not suspect, reached `read-back` and
 * whose newest verification is not `damaged`; or the one with this id. `to` leaves out points captured after it.
 * @throws PointUnknown, PointNotVerified, and what is wrong with the point that was asked for
 */
export function findPoint(of: {
  store: Store;
  trustedKeys: readonly string[];
  release: ReleaseName;
  point: string;
  to?: string | undefined;
}): Promise<FoundPoint> {
  return Promise.reject(new Error(`findPoint is not built yet: ${of.point}`));
}
