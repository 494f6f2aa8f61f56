import { LifeboatFailure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Manifest } from '../model/recovery-point.ts';
import { type CommittedManifest, commitManifest, type ManifestDraft, newestPoint } from './points.ts';
import { type GuideSubject, keepRestoreGuide, writeRestoreGuide } from './restore-guide.ts';
import type { Store } from './store.ts';

/** What an attempt commits. */
type PointToCommit = {
  readonly store: Store;
  readonly kit: RecoveryKit;
  readonly draft: Omit<ManifestDraft, 'restoreGuide'>;
  readonly now?: Date | undefined;
};

/**
 * Writes RESTORE.md and commits the manifest that names it.
 * Idempotent because: a point that another attempt has committed keeps the RESTORE.md of its manifest. It has one place, and
 * attempts write over each other's there: the last thing that each does is to compare it with the manifest.
 * Throws: ObjectExists (ten other writers were faster), ArtifactDigestMismatch (the store has another RESTORE.md), Store*.
 */
export async function commitPoint(of: PointToCommit): Promise<CommittedManifest> {
  const { store, kit } = of;
  const committed = await commitWithGuide(of).catch(async (error: unknown) => {
    // another attempt has written its own between our writing and reading ours
    const isOverwritten = error instanceof LifeboatFailure && error.code === 'ArtifactDigestMismatch';
    const found = isOverwritten ? await findCommitted(of) : undefined;
    if (found === undefined) throw error;
    return found;
  });
  await keepRestoreGuide({ store, kit, ...subjectOf(committed.manifest) });
  return committed;
}

async function commitWithGuide({ store, kit, draft, now }: PointToCommit): Promise<CommittedManifest> {
  const restoreGuide = await writeRestoreGuide({ store, kit, ...subjectOf(draft) });
  return await commitManifest({ store, kit, draft: { ...draft, restoreGuide }, now });
}

/** The manifest of the point, where another attempt has committed it. */
async function findCommitted({ store, kit, draft }: PointToCommit): Promise<CommittedManifest | undefined> {
  const of = { store, trustedKeys: [kit.signing.publicKey], release: draft.release };
  return await newestPoint(of, ({ id }) => id === draft.id);
}

function subjectOf(of: Pick<Manifest, 'release' | 'id' | 'capturedAt' | 'components' | 'plan'>): GuideSubject {
  const { release, id: point, capturedAt, components, plan } = of;
  return { release, point, capturedAt, components, plan };
}
