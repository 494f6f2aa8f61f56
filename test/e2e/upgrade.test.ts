import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { slowness } from '../slowness.ts';
import { clusterState, postgresState } from './as-it-was.ts';
import { cancelRun } from './cancel-run.ts';
import { denyingPolicy } from './denying-policy.ts';
import { type Ground, openGround, type Ran } from './ground.ts';
import { approveWhenAsked, progressOf } from './temporal-client.ts';

const approved = ['--yes', '--by', 'test', '--reason', 'test'] as const;

describe('a rolling upgrade', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround('upgrade');
    await ground.startWorker({ LIFEBOAT_READY_WITHIN_MS: '60000' });
  });

  afterAll(() => ground.close());

  it('shows in a dry run what it would do, and changes nothing', async () => {
    const before = await state();

    const ran = await upgrade(ground.names.redis, ['--set', 'podAnnotations.tried=yes', '--dry-run']);

    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(ran.result.plan?.lines.join('\n')).toMatch(
      /upgrade .*redis from redis .*, rolling\nset podAnnotations.tried="yes"/,
    );
    expect(ran.result.plan?.overwrites).toEqual([expect.stringMatching(/^release .*redis, revision \d+$/)]);
    expect(await state()).toEqual(before);
  });

  it('brings a release to other values with the same data, and says how long clients were kept out', async () => {
    const mark = String(Date.now());

    const ran = await upgrade(ground.names.redis, ['--set-string', `podAnnotations.upgraded=${mark}`, ...approved]);

    expect(ran.result.outcome, ran.stderr).toBe('complete');
    const [release] = ran.result.releases;
    expect(release?.facts).toMatchObject({ equal: true });
    expect(release?.facts.compared).toBeGreaterThan(1_000);
    expect(release?.recoveryPoint).toMatch(/^\d{8}T/);
    expect(release?.upgrade).toMatchObject({ strategy: 'rolling', writeGapMs: expect.any(Number) as number });
    expect(await podAnnotation('redis-0', 'upgraded')).toBe(mark);
    expect((await clusterState(ground)).filter((line) => line.includes('annotation'))).toEqual([]);
  });

  it('goes back by itself when the new pods never become ready', async () => {
    const before = await state();

    const ran = await upgrade(ground.names.postgresql, ['--set-string', 'image.tag=never-made', ...approved]);

    expect(ran.exitCode, ran.stderr).toBe(1);
    expect(ran.result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'PodNeverReady' } });
    expect(ran.result.failure?.message).toMatch(/never-made|ErrImageNeverPull/);
    expect(ran.result.releases[0]?.facts).toMatchObject({ equal: true });
    expect(await state()).toEqual(before);
  });

  it('is refused by the name of a field that nothing can change', async () => {
    const before = await state();

    const ran = await upgrade(ground.names.postgresql, ['--set', 'persistence.size=2Gi', ...approved]);

    expect(ran.exitCode, ran.stderr).toBe(4);
    expect(ran.result).toMatchObject({ outcome: 'refused', compensation: 'none', failure: { code: 'ImmutableField' } });
    expect(ran.result.failure?.message).toContain(
      'StatefulSet postgresql spec.volumeClaimTemplates[0].spec.resources.requests.storage: 1Gi → 2Gi',
    );
    expect(await state()).toEqual(before);
  });

  it.each(['raiseFence', 'upgradeChart', 'waitUntilServing', 'compareComponent'])(
    'leaves the old version serving when it is cancelled in %s',
    async (activity) => {
      const before = await state();
      const args = ['upgrade', ground.names.redis, '--set-string', `podAnnotations.cancelled=${activity}`];

      await cancelRun(ground, args, { activity, approve: true });

      expect(await state()).toEqual(before);
      expect(await podAnnotation('redis-0', 'cancelled')).toBeUndefined();
    },
  );

  it('goes back by itself when Helm fails in the middle', async () => {
    const before = await state();
    const args = ['upgrade', ground.names.redis, '--set-string', 'podAnnotations.refused=yes', '--no-wait'];
    const { workflowId } = (await ground.run(args)).result;
    const awaitsApproval = async (): Promise<boolean> => (await progressOf(ground, workflowId)).approval !== null;
    await expect.poll(awaitsApproval, { timeout: 60_000 * slowness }).toBe(true);
    // After the plan was tried: the API server takes nothing with this annotation any more.
    const refusal = denyingPolicy({
      name: 'e2e-upgrade-refused',
      namespace: ground.namespace,
      resource: { group: 'apps', name: 'statefulsets' },
      unless:
        "!has(object.spec.template.metadata.annotations) || !('refused' in object.spec.template.metadata.annotations)",
    });
    await ground.kubectl(['apply', '-f', '-'], refusal);
    try {
      await expect.poll(() => tryRefused(), { timeout: 30_000 * slowness }).toMatch(/not today/);
      await approveWhenAsked(ground, workflowId);
      const ran = await ground.run(['watch', workflowId]);

      expect(ran.exitCode, ran.stderr).toBe(1);
      expect(ran.result).toMatchObject({ outcome: 'failed', compensation: 'done', failure: { code: 'HelmFailed' } });
      expect(ran.result.failure?.message).toContain('not today');
      expect(ran.result.failure?.hint).not.toBe('');
    } finally {
      await ground.kubectl(['delete', '-f', '-'], refusal);
    }
    expect(await state()).toEqual(before);
  });

  // Last: the version from before cannot read what the new one writes.
  it('brings Redis 7.0 to Valkey 8.1 with the same keys, blue-green', async () => {
    const to = ['--strategy', 'blue-green', '--set-string', 'image.tag=valkey-8.1', '--soak', '1s'];
    const ran = await ground.run(['upgrade', ground.names.redis, ...to, '--max-write-gap', '10m', ...approved]);

    expect(ran.result.outcome, `${ran.stderr}\n${JSON.stringify(ran.result.failure)}`).toBe('complete');
    expect(ran.result.releases[0]?.facts).toMatchObject({ equal: true });
    const info = ['sh', '-c', 'redis-server --version'];
    const said = await ground.kubectl(['exec', '-n', ground.namespace, 'redis-0', '-c', 'redis', '--', ...info]);
    expect(said).toMatch(/v=8\.1/);
    const backup = await ground.run(['backup', ground.names.redis]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
  });

  async function tryRefused(): Promise<string> {
    const patch = '{"spec":{"template":{"metadata":{"annotations":{"refused":"yes"}}}}}';
    const args = ['patch', 'statefulset', 'redis', '-n', ground.namespace, '--dry-run=server', '-p', patch];
    return await ground.kubectl(args).catch(String);
  }

  async function upgrade(release: string, args: readonly string[]): Promise<Ran> {
    return await ground.run(['upgrade', release, '--strategy', 'rolling', ...args]);
  }

  async function state(): Promise<string[]> {
    return [...(await clusterState(ground)), ...(await postgresState(ground))];
  }

  async function podAnnotation(pod: string, name: string): Promise<string | undefined> {
    const text = await ground.kubectl(['get', 'pod', pod, '-n', ground.namespace, '-o', 'json']);
    return (JSON.parse(text) as { metadata: { annotations?: Record<string, string> } }).metadata.annotations?.[name];
  }
});
