import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { clusterState, postgresState } from './as-it-was.ts';
import { type Ground, openGround } from './ground.ts';
import { temporalClient } from './temporal-client.ts';

describe('a platform of two releases', () => {
  let ground: Ground;
  let before: string[];

  beforeAll(async () => {
    ground = await openGround('platform', { overrides: { keepFor: '1s' } });
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
    const sampled = await ground.run(['verify', '--all', '--sample', '20%']);
    expect(sampled.result.outcome, sampled.stderr).toBe('complete');
    for (const { notes, storedBytes } of sampled.result.releases) {
      expect(notes.join()).toMatch(/^sampled [0-9]+ of [0-9]+ frames/);
      expect(storedBytes).toBeGreaterThan(0);
    }
    const status = await ground.run(['status']);
    expect(status.exitCode).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({
      releases: [
        { proof: 'read-back', rpoMet: true },
        { proof: 'read-back', rpoMet: true },
      ],
    });
    const checked = await ground.run(['store', 'check']);
    expect(checked.exitCode, checked.stderr).toBe(0);
    expect(JSON.parse(checked.stdout)).toMatchObject({ findings: [], releases: [{ points: 1 }, { points: 1 }] });
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

  it('keeps the databases that a recovery replaced, and removes them when their time has passed', async () => {
    const approved = ['--yes', '--by', 'test', '--reason', 'test'];
    const recovered = await ground.run(['recover', ground.names.postgresql, '--data', ...approved]);
    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    const databases = (await postgresState(ground)).filter((line) => line.includes('__before_'));
    expect(databases.length).toBeGreaterThan(0);

    const kept = await copies([]);
    expect(kept.map(({ what, of }) => `${what} of ${of}`)).toEqual(
      databases.map(() => `database of ${ground.names.postgresql}`),
    );
    const removed = await copies(['--remove']);

    expect(removed.map(({ removed }) => removed)).toEqual(databases.map(() => true));
    expect((await postgresState(ground)).filter((line) => line.includes('__before_'))).toEqual([]);
    expect(await copies([])).toEqual([]);
  });

  async function copies(more: readonly string[]): Promise<{ what: string; of: string; removed: boolean }[]> {
    const { exitCode, stdout, stderr } = await ground.run(['copies', ...more]);
    expect(exitCode, stderr).toBe(0);
    return (JSON.parse(stdout) as { copies: { what: string; of: string; removed: boolean }[] }).copies;
  }
});
