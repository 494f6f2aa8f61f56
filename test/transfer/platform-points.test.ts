import { describe, expect, it } from 'vitest';
import { commitPlatformPoint, type PlatformPointDraft, readPlatformPoints } from '../../transfer/platform-points.ts';
import { newPointId } from '../../transfer/point-names.ts';
import { describedArtifact, release, testKit } from './test-points.ts';
import { contentsOf, testStore } from './test-sources.ts';

function draft(platform: string): PlatformPointDraft {
  const id = newPointId();
  return {
    id,
    platform,
    skewSeconds: 3,
    complete: true,
    releases: [
      {
        release,
        tier: 1,
        point: { id, sequence: 1, manifestSha256: 'a'.repeat(64), capturedAt: '2026-11-24T10:00:00Z' },
        requires: [],
      },
    ],
    config: describedArtifact(`platforms/${platform}`, 'config', 10),
    configSha256: 'b'.repeat(64),
  };
}

describe('commitPlatformPoint', () => {
  it('numbers, links and signs the points of a platform, each once', async () => {
    const store = testStore();
    const kit = await testKit();
    const first = draft('shop');
    const committed = await commitPlatformPoint({ store, kit, draft: first });
    expect(await commitPlatformPoint({ store, kit, draft: first })).toEqual(committed);
    await commitPlatformPoint({ store, kit, draft: draft('shop') });
    await commitPlatformPoint({ store, kit, draft: draft('shop-2') });
    expect(await contentsOf(store)).toEqual([
      'platforms/shop-2/0000000001.json',
      'platforms/shop/0000000001.json',
      'platforms/shop/0000000002.json',
    ]);
    const [second, oldest] = await readPlatformPoints({
      store,
      trustedKeys: [kit.signing.publicKey],
      platform: 'shop',
    });
    expect(second).toMatchObject({
      sequence: 2,
      failure: undefined,
      document: { previous: { id: first.id, sequence: 1, sha256: committed.sha256 } },
    });
    expect(oldest?.document).toEqual(committed.platformPoint);
  });
});
