import { createHash, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import type { ReplicationReport } from '../../model/outcome.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { artifactsOf, type Manifest } from '../../model/recovery-point.ts';
import { Retention } from '../../model/retention.ts';
import { linkKey } from '../../transfer/chain.ts';
import { checkStore } from '../../transfer/check-store.ts';
import { collectGarbage } from '../../transfer/collect-garbage.ts';
import { expirePoints } from '../../transfer/expire-points.ts';
import { commitPlatformPoint } from '../../transfer/platform-points.ts';
import { manifestFolder, newPointId, pointPrefix } from '../../transfer/point-names.ts';
import { commitManifest, findPoint } from '../../transfer/points.ts';
import { readBytes } from '../../transfer/read-artifact.ts';
import { planReplication, replicatePlatformPoints, replicateRelease } from '../../transfer/replicate.ts';
import { memorySource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { describedComponent, draftAt, release, testKit } from './test-points.ts';
import { contentsOf, testStore } from './test-sources.ts';

let from: Store;
let to: Store;
let kit: RecoveryKit;
const held: string[] = [];

/** A point whose objects are real. */
async function commit(minute: number): Promise<Manifest> {
  const draft = draftAt(minute);
  const prefix = pointPrefix(release, draft.id);
  const written = async (name: string, bytes: Buffer) =>
    await writeArtifact({
      store: from,
      prefix,
      name,
      source: memorySource(bytes),
      recipients: kit.recipients,
      minimumProofs: ['count'],
      restoreCommand: 'cat',
    });
  const component = {
    ...describedComponent(prefix, 1),
    artifacts: [await written('databases.app', randomBytes(50_000))],
    facts: await written('databases.facts', Buffer.from('{}')),
  };
  const guide = Buffer.from(`# ${draft.id}`);
  await from.put(draft.restoreGuide.key, guide);
  for (const name of ['RESTORE.md.sig', 'SHA256SUMS', 'databases.component.json'])
    await from.put(`${prefix}/${name}`, Buffer.from(name));
  const restoreGuide = { ...draft.restoreGuide, sha256: createHash('sha256').update(guide).digest('hex') };
  const plan = await written('plan', Buffer.from('{}'));
  const own = { ...draft, components: [component], plan, restoreGuide };
  return (await commitManifest({ store: from, kit, draft: own })).manifest;
}

async function replicate(more: { to?: Store; signal?: AbortSignal } = {}): Promise<ReplicationReport> {
  const trustedKeys = [kit.signing.publicKey];
  const hold = (point: string): Promise<void> => {
    held.push(point);
    return Promise.resolve();
  };
  return await replicateRelease({ from, to, trustedKeys, release, hold, ...more });
}

async function problems(store: Store): Promise<string[]> {
  const trustedKeys = [kit.signing.publicKey];
  const found = await checkStore({ store, trustedKeys, platform: 'shop', releases: [release], now: new Date() });
  return found.findings.map(({ subject, message }) => `${subject}: ${message}`);
}

const firstKey = (manifest: Manifest): string => artifactsOf(manifest)[0]?.segments[0]?.key ?? '';

describe('replicateRelease', () => {
  beforeEach(async () => {
    from = testStore();
    to = testStore();
    kit = await testKit();
    held.length = 0;
  });

  it('makes the replica a store of its own, with every object as it is at home', async () => {
    await commit(0);
    const newest = await commit(1);
    expect(await planReplication({ from, to, trustedKeys: [kit.signing.publicKey], release })).toMatchObject({
      points: 2,
    });

    expect(await replicate()).toMatchObject({ points: 2, newest: newest.id, damaged: [] });

    expect(await contentsOf(to)).toEqual(await contentsOf(from));
    expect(await problems(to)).toEqual([]);
    const of = { store: to, trustedKeys: [kit.signing.publicKey], release };
    const { manifest } = await findPoint({ ...of, point: 'latest-verified' });
    expect(await readBytes({ store: to, artifact: manifest.plan, identity: kit.identity })).toEqual(Buffer.from('{}'));
    expect(held).toHaveLength(2);
  });

  it('copies only what is new, and nothing a second time', async () => {
    await commit(0);
    await replicate();
    const second = await commit(1);
    expect(await replicate()).toMatchObject({ points: 1, newest: second.id });
    expect(await replicate()).toMatchObject({ points: 0, objects: 0, bytes: 0, newest: second.id });
  });

  it('writes a manifest last: a copy that was cut off is no point, and is finished by the next', async () => {
    const manifest = await commit(0);
    let writes = 0;
    const cut: Store = {
      ...to,
      openWriter: (key) => {
        writes += 1;
        if (writes === 3) throw failure('StoreUnreachable', { message: 'the network is gone' });
        return to.openWriter(key);
      },
    };
    await expect(replicate({ to: cut })).rejects.toMatchObject({ code: 'StoreUnreachable' });
    expect(await contentsOf(to)).not.toContain(linkKey(manifestFolder(release), 1));

    expect(await replicate()).toMatchObject({ points: 1, newest: manifest.id });
    expect(await contentsOf(to)).toEqual(await contentsOf(from));
  });

  it('reads what a copy before it may not have proven, and copies it again where it is not what was written', async () => {
    const manifest = await commit(0);
    const key = firstKey(manifest);
    const bytes = await from.get(key);
    await to.put(key, randomBytes(bytes.byteLength));

    await replicate();

    expect(await to.get(key)).toEqual(bytes);
  });

  it('brings an object back that the replica has lost', async () => {
    const manifest = await commit(0);
    await replicate();
    await to.delete(firstKey(manifest));
    expect(await problems(to)).toHaveLength(1);

    expect(await replicate()).toMatchObject({ points: 1, objects: 1 });

    expect(await problems(to)).toEqual([]);
  });

  it('names a point that is damaged at home, and goes on with the others', async () => {
    const first = await commit(0);
    const second = await commit(1);
    const bytes = await from.get(firstKey(first));
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await from.put(firstKey(first), bytes);

    const report = await replicate();

    expect(report).toMatchObject({ newest: second.id });
    expect(report.damaged).toEqual([expect.stringContaining(`${first.id}: ArtifactDigestMismatch`)]);
    expect((await problems(to)).join()).toContain(`is missing from ${first.id}`);
  });

  it('says so where the replica does not keep what it was given', async () => {
    await commit(0);
    const lies: Store = {
      ...to,
      async *read(key, range) {
        for await (const chunk of to.read(key, range)) yield Buffer.from(chunk).fill(0);
      },
    };
    const { damaged } = await replicate({ to: lies });
    expect(damaged.join()).toMatch(/replicate points\/.*what file:.* has of it is not what was written/);
  });

  it('never takes an object that was kept wrongly once for a good one: by its size everybody sees it', async () => {
    const { id } = await commit(0);
    let reads = 0;
    const liesOnce: Store = {
      ...to,
      async *read(key, range) {
        const isLie = reads === 0;
        reads += 1;
        for await (const chunk of to.read(key, range)) yield isLie ? Buffer.from(chunk).fill(0) : chunk;
      },
    };
    expect(await replicate({ to: liesOnce })).toMatchObject({ newest: null, damaged: [expect.stringContaining(id)] });
    expect((await problems(to)).join()).toMatch(/it has 0 of \d+ bytes/);
    expect(await planReplication({ from, to, trustedKeys: [kit.signing.publicKey], release })).toMatchObject({
      points: 1,
    });

    expect(await replicate()).toMatchObject({ newest: id, damaged: [] });
    expect(await problems(to)).toEqual([]);
  });

  it('refuses a chain in doubt, and a replica of another chain', async () => {
    await commit(0);
    await replicate();
    const other = from;
    from = testStore();
    await commit(0);
    await expect(replicate()).rejects.toMatchObject({
      code: 'ChainBroken',
      message: expect.stringMatching(/has another link/) as string,
    });
    from = testStore();
    await expect(replicate()).rejects.toMatchObject({
      code: 'ChainBroken',
      message: expect.stringMatching(/not at home/) as string,
    });
    from = other;
    await commit(1);
    await commit(2);
    await from.delete(linkKey(manifestFolder(release), 2));
    await expect(replicate()).rejects.toMatchObject({ code: 'ChainBroken' });
  });

  it('knows of what expired, and removes it from the replica only when the garbage is collected there', async () => {
    const old = await commit(0);
    await commit(5);
    await replicate();
    const retention = Retention.parse({ all: '1m', last: 1, grace: '1m' });
    for (const minutes of [60, 120]) {
      const now = new Date(Date.UTC(2026, 10, 24, 10, minutes));
      const run = { workflowId: 'w', runId: `r${String(minutes)}` };
      await expirePoints({ store: from, kit, release, tier: 1, retention, now, run });
    }
    const unseen = await commit(200);

    expect(await replicate()).toMatchObject({ points: 1, newest: unseen.id });
    expect(await contentsOf(to)).toContain(firstKey(old));
    const run = { workflowId: 'gc', runId: 'gc' };
    await collectGarbage({
      store: to,
      kit,
      platform: 'shop',
      releases: [release],
      run,
      now: new Date(),
      dryRun: false,
    });

    expect(await contentsOf(to)).not.toContain(firstKey(old));
    expect(await problems(to)).toEqual([]);
  });

  it('stops when it is cancelled', async () => {
    await commit(0);
    await expect(replicate({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    expect(await contentsOf(to)).toEqual([]);
  });
});

describe('replicatePlatformPoints', () => {
  it('copies the chain of platform points with lifeboat.yaml', async () => {
    from = testStore();
    to = testStore();
    kit = await testKit();
    const id = newPointId();
    const text = Buffer.from('platform: shop');
    const config = await writeArtifact({
      store: from,
      prefix: `platforms/shop/objects/${id}`,
      name: 'lifeboat.yaml',
      source: memorySource(text),
      recipients: kit.recipients,
      minimumProofs: ['count'],
      restoreCommand: 'cat',
    });
    const configSha256 = createHash('sha256').update(text).digest('hex');
    const draft = { id, platform: 'shop', skewSeconds: 0, complete: true, releases: [], config, configSha256 };
    await commitPlatformPoint({ store: from, kit, draft });
    const of = { from, to, trustedKeys: [kit.signing.publicKey], platform: 'shop' };

    expect(await replicatePlatformPoints(of)).toMatchObject({ points: 1, newest: id });
    expect(await replicatePlatformPoints(of)).toMatchObject({ points: 0, objects: 0 });

    expect(await contentsOf(to)).toEqual(await contentsOf(from));
  });
});
