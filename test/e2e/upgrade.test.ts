import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterState, postgresState } from './as-it-was.ts';
import { cancelRun } from './cancel-run.ts';
import { type Ground, openGround, type Ran } from './ground.ts';

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

  it('refuses a strategy that is not there yet, by its name', async () => {
    const ran = await ground.run(['upgrade', ground.names.postgresql, '--strategy', 'blue-green', ...approved]);

    expect(ran.exitCode, ran.stderr).toBe(4);
    expect(ran.result).toMatchObject({ outcome: 'refused', compensation: 'none', failure: { code: 'UpgradeRefused' } });
    expect(ran.result.failure?.message).toContain('blue-green is not in this version');
  });

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
