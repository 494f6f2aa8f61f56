import { beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../model/outcome.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { canonicalBytes, signDocument } from '../../transfer/keys.ts';
import { testKit } from '../transfer/test-points.ts';
import { testFolder } from '../transfer/test-sources.ts';
import { type Answer, lifeboat, settle } from './command.ts';

const result: RunResult = {
  ...{ type: 'backUpRelease', outcome: 'partial', compensation: 'none', objectivesMet: null },
  ...{ startedAt: '2026-11-24T10:00:00.000Z', finishedAt: '2026-11-24T10:00:01.000Z', durationMs: 1_000 },
  ...{ releases: [], notConfigured: [] },
};

describe('lifeboat report without Temporal', () => {
  const home = testFolder();
  const store = filesystemStore(testFolder());
  let kit: RecoveryKit;

  const report = async (run: string): Promise<Answer> => await lifeboat(home, undefined, '--json', 'report', run);

  beforeAll(async () => {
    kit = await testKit();
    // Nothing listens there.
    await settle(home, kit, store.address, { temporal: { address: '127.0.0.1:9' } });
    for (const [runId, workflowId] of [['r1', 'backup-1'] as const, ['r3', 'backup-3'] as const])
      await store.put(`runs/${runId}/report.json`, canonicalBytes(signDocument(kit, { workflowId, runId, ...result })));
    await store.put('runs/r2/report.json', Buffer.from('cut of'));
  });

  it('finds one by its workflow beside one that cannot be read, and exits as its run did', async () => {
    for (const run of ['backup-3', 'r3']) {
      const { code, stdout } = await report(run);
      expect([code, JSON.parse(stdout)]).toMatchObject([3, { runId: 'r3', outcome: 'partial' }]);
    }
  });

  it('says which one it could not read where it finds none', async () => {
    const { code, stderr } = await report('backup-2');
    expect([code, stderr]).toEqual([2, expect.stringContaining('cannot be read: runs/r2/report.json')]);
  });
});
