import { beforeEach, describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { linkKey } from '../../transfer/chain.ts';
import { commitPoint } from '../../transfer/commit-point.ts';
import { manifestFolder, pointPrefix } from '../../transfer/point-names.ts';
import { type CommittedManifest, commitManifest, readChain } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { describedArtifact, draftAt, release, testKit } from './test-points.ts';
import { sha256, testStore } from './test-sources.ts';

let store: Store;
let kit: RecoveryKit;
const draft = draftAt(0);
const prefix = pointPrefix(release, draft.id);

/** What an attempt commits: its plan lies in a folder of its own. */
function attempt(number: number): typeof draft {
  return { ...draft, plan: describedArtifact(`${prefix}/commit-${String(number)}`, 'plan', 10) };
}

beforeEach(async () => {
  store = testStore();
  kit = await testKit();
});

async function expectGuideOfManifest(): Promise<void> {
  const [link, ...others] = await readChain({ store, trustedKeys: [kit.signing.publicKey], release });
  expect(others).toEqual([]);
  expect(sha256(await store.get(`${prefix}/RESTORE.md`))).toBe(link?.document?.restoreGuide.sha256);
  const planKey = link?.document?.plan.segments[0]?.key.slice(prefix.length + 1);
  expect((await store.get(`${prefix}/SHA256SUMS`)).toString()).toContain(planKey);
}

describe('commitPoint', () => {
  it('leaves the RESTORE.md of the manifest when it is tried again after its answer was lost', async () => {
    const first = await commitPoint({ store, kit, draft: attempt(1) });
    expect(await commitPoint({ store, kit, draft: attempt(2) })).toEqual(first);
    await expectGuideOfManifest();
  });

  it('puts the RESTORE.md of its manifest in the place of that of an attempt that was killed', async () => {
    const stale: Store = {
      ...store,
      put: async (key, bytes, options) => {
        await store.put(key, bytes, options);
        if (!key.startsWith('manifests/')) return;
        const killed: Store = {
          ...store,
          put: (own, ...rest) =>
            own.startsWith('manifests/') ? Promise.reject(new Error('killed')) : store.put(own, ...rest),
          get: (own) => (own.startsWith('manifests/') ? Promise.reject(new Error('killed')) : store.get(own)),
        };
        await expect(commitPoint({ store: killed, kit, draft: attempt(2) })).rejects.toThrow('killed');
      },
    };
    await commitPoint({ store: stale, kit, draft: attempt(1) });
    await expectGuideOfManifest();
  });

  /** A store in which something happens right after the first RESTORE.md was written. */
  function whenGuideIsWritten(happens: () => Promise<void>): Store {
    let happened = false;
    return {
      ...store,
      put: async (key, bytes, options) => {
        await store.put(key, bytes, options);
        if (happened || !key.endsWith('/RESTORE.md')) return;
        happened = true;
        await happens();
      },
    };
  }

  it('takes the point of another attempt for its own that wrote and committed between its writing and reading', async () => {
    const others = [draftAt(1), draftAt(2)];
    let theirs: CommittedManifest | undefined;
    const raced = whenGuideIsWritten(async () => {
      for (const other of others) await commitManifest({ store, kit, draft: other });
      theirs = await commitPoint({ store, kit, draft: attempt(2) });
      const { manifest } = await commitManifest({ store, kit, draft: draftAt(3) });
      await store.put(linkKey(manifestFolder(release), manifest.sequence), Buffer.from('rubbish'));
    });
    expect(await commitPoint({ store: raced, kit, draft: attempt(1) })).toEqual(theirs);
    const links = await readChain({ store, trustedKeys: [kit.signing.publicKey], release });
    expect(links.filter(({ document }) => document?.id === draft.id)).toHaveLength(1);
  });

  it('commits nothing where its RESTORE.md is another one and nobody has committed', async () => {
    const rotten = whenGuideIsWritten(() => store.put(`${prefix}/RESTORE.md`, Buffer.from('rot')));
    await expect(commitPoint({ store: rotten, kit, draft: attempt(1) })).rejects.toMatchObject({
      code: 'ArtifactDigestMismatch',
    });
    expect(await readChain({ store, trustedKeys: [kit.signing.publicKey], release })).toEqual([]);
  });

  it('takes no other failure for a race, though the point is committed', async () => {
    await commitPoint({ store, kit, draft: attempt(1) });
    for (const error of [failure('StoreDenied', { message: 'put: denied' }), new Error('a defect')]) {
      const broken: Store = { ...store, put: () => Promise.reject(error) };
      await expect(commitPoint({ store: broken, kit, draft: attempt(2) })).rejects.toBe(error);
    }
  });

  it('names the instant of its commit', async () => {
    const now = new Date('2026-11-28T12:00:00.000Z');
    expect((await commitPoint({ store, kit, draft, now })).manifest.committedAt).toBe(now.toISOString());
  });
});
