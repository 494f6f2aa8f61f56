import { beforeEach, describe, expect, it } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { commitPoint } from '../../transfer/commit-point.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import { readChain } from '../../transfer/points.ts';
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
});
