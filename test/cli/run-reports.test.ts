import { describe, expect, it } from 'vitest';
import { cancelledResult } from '../../cli/run-reports.ts';
import type { Session } from '../../cli/session.ts';
import type { RunResult } from '../../model/outcome.ts';
import { canonicalBytes, signDocument } from '../../transfer/keys.ts';
import { testKit } from '../transfer/test-points.ts';
import { testStore } from '../transfer/test-sources.ts';

describe('the result of a cancelled run', () => {
  const bare: RunResult = {
    ...{ type: 'recoverRelease', outcome: 'cancelled', compensation: 'none', objectivesMet: null },
    ...{ startedAt: '2026-11-24T10:00:00.000Z', finishedAt: '2026-11-24T10:00:01.000Z', durationMs: 0 },
    ...{ releases: [], notConfigured: [] },
  };

  it('is that of its report, with what could not be put back', async () => {
    const [store, kit] = [testStore(), await testKit()];
    const session = { store: () => Promise.resolve(store), kit: () => Promise.resolve(kit) } as unknown as Session;
    const written = { ...bare, compensation: 'incomplete', notes: ['left behind: lift the fence'] };
    await store.put(
      'runs/r1/report.json',
      canonicalBytes(signDocument(kit, { workflowId: 'w', runId: 'r1', ...written })),
    );
    expect(await cancelledResult(session, 'r1', bare)).toMatchObject(written);
    const unknown = await cancelledResult(session, 'r2', bare);
    expect(unknown).toMatchObject({ outcome: 'cancelled', compensation: 'incomplete' });
    expect(unknown.notes).toEqual([expect.stringMatching(/what was put back is not known.*lifeboat repair --dry-run/)]);
  });
});
