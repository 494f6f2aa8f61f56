import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { type Artifact, artifactsOf, type ComponentRecord } from '../../model/recovery-point.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import { newPointId, pointPrefix } from '../../transfer/point-names.ts';
import { type CommittedManifest, commitManifest, type ManifestDraft } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';

/** The release of the tests. */
export const release = { cluster: 'prod', namespace: 'data', name: 'postgresql' };

/** A kit of the tests. */
export async function testKit(): Promise<RecoveryKit> {
  return (await createRecoveryKit({ platform: 'shop', store: { url: 'file:///backups', region: 'us-east-1' } })).kit;
}

/** An artifact that is only described, of so many stored bytes. */
export function describedArtifact(prefix: string, name: string, storedBytes: number): Artifact {
  const segment = {
    key: `${prefix}/${name}/0001.zst.age`,
    storedBytes,
    storedSha256: 'a'.repeat(64),
    plainBytes: storedBytes * 2,
    frameBytes: 4_194_304,
    frames: [storedBytes],
  };
  return {
    name,
    plainBytes: storedBytes * 2,
    plainSha256: 'b'.repeat(64),
    storedBytes,
    segments: [segment],
    endProof: { status: true, trailer: true, count: true, digest: true },
    restoreCommand: 'cat',
  };
}

/** A component of one artifact. */
export function describedComponent(prefix: string, storedBytes: number): ComponentRecord {
  return {
    component: 'databases',
    method: 'pg-dump',
    capturedAt: '2026-11-24T22:00:00.000Z',
    artifacts: [describedArtifact(prefix, 'databases.app', storedBytes)],
    facts: describedArtifact(prefix, 'databases.facts', 10),
    factsDigest: 'c'.repeat(64),
    totals: { tables: 1 },
    notes: [],
    missing: [],
  };
}

/** A draft of so many stored bytes, made `minute` minutes after ten. */
export function draftAt(minute: number, storedBytes = 1_000, more: Partial<ManifestDraft> = {}): ManifestDraft {
  const at = new Date(Date.UTC(2026, 10, 24, 10, minute));
  const id = newPointId(at);
  const prefix = pointPrefix(release, id);
  return {
    id,
    release,
    chart: { name: 'postgresql', version: '1.0.0', appVersion: '16' },
    tier: 1,
    run: { workflowId: 'w', runId: 'r', trigger: 'test' },
    capturedAt: at.toISOString(),
    proof: 'read-back',
    components: [describedComponent(prefix, storedBytes)],
    notCaptured: [],
    plan: describedArtifact(prefix, 'plan', 10),
    planDigest: 'd'.repeat(64),
    restoreGuide: { key: `${prefix}/RESTORE.md`, sha256: 'e'.repeat(64), signature: 'sig' },
    recipients: ['age1one', 'age1two'],
    tool: 'lifeboat test',
    ...more,
  };
}

/** Writes the objects of a point, of the lengths that are described, and commits its manifest. */
export async function commitWithObjects(
  store: Store,
  kit: RecoveryKit,
  minute: number,
  draft = draftAt(minute),
): Promise<CommittedManifest> {
  for (const { key, storedBytes } of artifactsOf(draft).flatMap(({ segments }) => segments))
    await store.put(key, Buffer.alloc(storedBytes, 'x'));
  const prefix = pointPrefix(release, draft.id);
  for (const name of ['RESTORE.md', 'RESTORE.md.sig', 'SHA256SUMS', 'databases.component.json'])
    await store.put(`${prefix}/${name}`, Buffer.from(name));
  return await commitManifest({ store, kit, draft });
}

/** How many objects of a point are stored. */
export async function objectsOf(store: Store, id: string): Promise<number> {
  let count = 0;
  for await (const _ of store.list(`${pointPrefix(release, id)}/`)) count += 1;
  return count;
}

/** Commits drafts one after the other. */
export async function commitAll(
  store: Store,
  kit: RecoveryKit,
  drafts: readonly ManifestDraft[],
): Promise<CommittedManifest[]> {
  const committed: CommittedManifest[] = [];
  for (const draft of drafts) committed.push(await commitManifest({ store, kit, draft }));
  return committed;
}
