import { describe, expect, it } from 'vitest';
import type { Verification } from '../../model/recovery-point.ts';
import { readLastRestored, writeVerification } from '../../transfer/verifications.ts';
import { release, testKit } from './test-points.ts';
import { testStore } from './test-sources.ts';

const verified = (point: string, at: string, proof: Verification['proof'] = 'read-back'): Verification => ({
  apiVersion: 'lifeboat/v1',
  kind: 'Verification',
  point,
  release,
  at,
  outcome: 'usable',
  proof,
  plainBytes: 1,
  storedBytes: 1,
  failure: null,
  run: 'r',
});

describe('readLastRestored', () => {
  it('knows when a release was last restored, whichever point that was, by trusted signatures alone', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const last = (): Promise<string | null> =>
      readLastRestored({ store, trustedKeys: [kit.signing.publicKey], release });
    const [older, newer] = ['20261124T100000Z-aaaaaa', '20261124T103000Z-bbbbbb'];
    await writeVerification({ store, kit, verification: verified(newer, '2026-11-24T14:00:00.000Z') });
    expect(await last()).toBeNull();

    for (const [point, at] of [
      [older, '2026-11-24T13:00:00.000Z'],
      [newer, '2026-11-24T12:00:00.000Z'],
    ] as const)
      await writeVerification({ store, kit, verification: verified(point, at, 'restored') });
    const forged = verified(newer, '2026-11-24T15:00:00.000Z', 'restored');
    await writeVerification({ store, kit: await testKit(), verification: forged });

    expect(await last()).toBe('2026-11-24T13:00:00.000Z');
  });
});
