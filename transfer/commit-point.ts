import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Manifest } from '../model/recovery-point.ts';
import { sha256Of } from './chain.ts';
import { type CommittedManifest, commitManifest, type ManifestDraft } from './points.ts';
import { type GuideSubject, writeRestoreGuide } from './restore-guide.ts';
import type { Store } from './store.ts';

/**
 * Writes RESTORE.md and commits the manifest that names it.
 * Idempotent because: a point that another attempt has committed keeps the RESTORE.md of its manifest. It has one place, and the
 * attempts write over each other's there: the last thing that each does is to compare it with the manifest.
 * Throws: ObjectExists (ten other writers were faster), ArtifactDigestMismatch (the store has another RESTORE.md), Store*.
 */
export async function commitPoint(of: {
  store: Store;
  kit: RecoveryKit;
  draft: Omit<ManifestDraft, 'restoreGuide'>;
  now?: Date | undefined;
}): Promise<CommittedManifest> {
  const { store, kit, draft, now } = of;
  const restoreGuide = await writeRestoreGuide({ store, kit, ...subjectOf(draft) });
  const committed = await commitManifest({ store, kit, draft: { ...draft, restoreGuide }, now });
  const { key, sha256 } = committed.manifest.restoreGuide;
  if (restoreGuide.sha256 !== sha256 || sha256Of(await store.get(key)) !== sha256)
    await writeRestoreGuide({ store, kit, ...subjectOf(committed.manifest) });
  return committed;
}

function subjectOf(of: Pick<Manifest, 'release' | 'id' | 'capturedAt' | 'components' | 'plan'>): GuideSubject {
  const { release, id: point, capturedAt, components, plan } = of;
  return { release, point, capturedAt, components, plan };
}
