import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { clusterState } from './as-it-was.ts';
import { type Ground, openGround } from './ground.ts';
import { temporalClient } from './temporal-client.ts';

describe('a platform of two releases', () => {
  let ground: Ground;
  let before: string[];

  beforeAll(async () => {
    ground = await openGround('platform');
    await ground.startWorker();
    before = await clusterState(ground);
  });

  afterAll(async () => {
    await ground.close();
    await deleteNamespaces(ground.sandbox, ['e2e-elsewhere']);
  });

  it('passes the self test from a start without any input', async () => {
    const client = await temporalClient(ground);
    const handle = await client.workflow.start('selfTest', {
      taskQueue: 'lifeboat',
      workflowId: `self-test-${String(Date.now())}`,
      args: [],
    });
    const result = (await handle.result()) as { outcome: string; notes: string[] };
    expect(result.outcome).toBe('complete');
    expect(result.notes.length).toBeGreaterThan(5);
    await client.connection.close();
  });

  it('is backed up whole, and each point verifies', async () => {
    const backup = await ground.run(['backup']);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    expect(backup.exitCode).toBe(0);
    expect(backup.result.releases.map((release) => release.release).sort()).toEqual(
      [ground.names.postgresql, ground.names.redis].sort(),
    );
    expect(backup.result.notConfigured).toEqual(['replicate', 'expire']);
    const verified = await ground.run(['verify', '--all']);
    expect(verified.result.outcome, verified.stderr).toBe('complete');
    expect(verified.result.releases).toHaveLength(2);
    const status = await ground.run(['status']);
    expect(status.exitCode).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({
      releases: [
        { proof: 'read-back', rpoMet: true },
        { proof: 'read-back', rpoMet: true },
      ],
    });
    const report = await ground.run(['report', backup.result.workflowId]);
    expect(report.result.runId).toBe(backup.result.runId);
    expect(await clusterState(ground)).toEqual(before);
  });

  it('shows the plan of a recovery without changing anything', async () => {
    const plan = await ground.run(['recover', '--platform', '--dry-run']);
    expect(plan.exitCode, plan.stderr).toBe(0);
    expect(plan.result.plan?.overwrites.join('\n')).toContain(`release ${ground.names.postgresql}`);
    expect(plan.result.plan?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(await clusterState(ground)).toEqual(before);
  });

  it('recovers a release into another namespace and leaves the one that runs alone', async () => {
    const recovered = await ground.run([
      'recover',
      ground.names.redis,
      '--into',
      'e2e-elsewhere',
      '--on-failure',
      'abort',
    ]);
    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    expect(recovered.result.releases[0]?.release).toBe('e2e-elsewhere/redis');
    expect(recovered.result.releases[0]?.facts.equal).toBe(true);
    expect(await clusterState(ground)).toEqual(before);
    expect((await ground.kubectl(['get', 'pods', '-n', 'e2e-elsewhere', '-o', 'name'])).trim()).toContain(
      'pod/redis-0',
    );
  });
});
