import { LifeboatFailure } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { type Artifact, artifactsOf } from '../../model/recovery-point.ts';
import { commitPoint } from '../../transfer/commit-point.ts';
import { readComponentRecord, writeComponentRecord } from '../../transfer/component-records.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import type { CommittedManifest } from '../../transfer/points.ts';
import { verifyArtifact } from '../../transfer/read-artifact.ts';
import { type ByteSource, memorySource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import { requireStored } from '../../transfer/store-inventory.ts';
import { type ArtifactToWrite, writeArtifact } from '../../transfer/write-artifact.ts';
import { draftAt, release } from '../transfer/test-points.ts';
import type { Seed } from './experiment.ts';

const component = 'databases';

/** A backup of one stream, as an experiment makes it. */
export type BackupToMake = {
  readonly store: Store;
  readonly kit: RecoveryKit;
  readonly id: string;
  /** The stream; called once for each attempt. */
  readonly source: () => ByteSource;
  /** Number of the attempt, from 1: each has a folder of its own. */
  readonly attempt?: number;
  readonly rules?: Partial<ArtifactToWrite>;
};

/** The id of a point of a case: in one chain those of higher minutes are newer. */
export function pointOf({ whole }: Seed, minute = 0): string {
  const letters = Array.from({ length: 6 }, () => whole(0, 35).toString(36)).join('');
  return `${draftAt(minute).id.slice(0, 17)}${letters}`;
}

/**
 * Backs up as the activities do, with the real engine: capture, its record, read-back, plan, RESTORE.md, and the manifest last.
 * Throws what they throw.
 */
export async function backUp(of: BackupToMake): Promise<CommittedManifest> {
  await capture(of);
  return await commit(of);
}

/** Captures the stream, unless its record is there. */
export async function capture({ store, kit, id, source, attempt = 1, rules }: BackupToMake): Promise<void> {
  const prefix = pointPrefix(release, id);
  const trustedKeys = [kit.signing.publicKey];
  if ((await readComponentRecord({ store, trustedKeys, prefix, component })) !== undefined) return;
  const folder = attempt === 1 ? prefix : `${prefix}/attempt-${String(attempt)}`;
  const common = { store, prefix: folder, recipients: kit.recipients, restoreCommand: 'cat' };
  const dump = await writeArtifact({
    ...common,
    name: `${component}.dump`,
    source: source(),
    minimumProofs: ['status'],
    ...rules,
  });
  const facts = await writeArtifact({
    ...common,
    name: `${component}.facts`,
    source: memorySource(Buffer.from('{}')),
    minimumProofs: ['count', 'digest'],
  });
  const record = {
    ...{ component, method: 'pg-dump' as const, capturedAt: draftAt(0).capturedAt, artifacts: [dump], facts },
    ...{ factsDigest: 'c'.repeat(64), totals: { tables: 1 }, notes: [], missing: [] },
  };
  await writeComponentRecord({ store, kit, prefix, record });
}

/** Reads the capture back and commits the point. */
export async function commit({ store, kit, id, attempt = 1 }: BackupToMake): Promise<CommittedManifest> {
  const prefix = pointPrefix(release, id);
  const trustedKeys = [kit.signing.publicKey];
  const record = await readComponentRecord({ store, trustedKeys, prefix, component });
  if (record === undefined) throw new Error('the capture left no record');
  const read = (artifact: Artifact): Promise<unknown> => verifyArtifact({ store, artifact, identity: kit.identity });
  for (const artifact of [...record.artifacts, record.facts]) await read(artifact);
  const plan = await writeArtifact({
    ...{ store, prefix: `${prefix}/commit-${String(attempt)}`, name: 'plan', recipients: kit.recipients },
    ...{ source: memorySource(Buffer.from('{"plan":1}')), minimumProofs: ['count', 'digest'], restoreCommand: 'cat' },
  });
  await read(plan);
  const components = [record];
  const draft = { ...draftAt(0), id, capturedAt: record.capturedAt, components, plan };
  await requireStored({ store, prefix, point: id, artifacts: artifactsOf(draft) });
  return await commitPoint({ store, kit, draft: { ...draft, recipients: kit.recipients } });
}

/** Tries again as Temporal does: what is transient, and nothing else. */
export async function retrying<Value>(attempts: number, work: (attempt: number) => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (!(error instanceof LifeboatFailure) || !error.retryable || attempt === attempts) throw error;
    }
  }
}
