import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../model/outcome.ts';
import { layout } from '../../sandbox/layout.ts';
import { slowness } from '../slowness.ts';
import { type Ground, openGround } from './ground.ts';
import { temporalClient } from './temporal-client.ts';

type Listed = { manifest: { id: string }; expiredAt: string | null; holds: { by: string }[] };

const namespace = 'e2e-retention-data';
const redis = `${namespace}/redis`;

describe('retention on a real store', () => {
  // A run of this file before has left its runs in the same namespace of Temporal.
  const since = new Date();
  let ground: Ground;
  let first: string;
  let second: string;
  let third: string;
  /** Folder of the store on the disk of its server. */
  let folder: string;

  beforeAll(async () => {
    ground = await openGround('retention', {
      releases: [{ chart: 'redis', namespace, name: 'redis' }],
      overrides: {
        retention: {
          all: '1s',
          last: 1,
          hourly: 0,
          daily: 0,
          weekly: 0,
          monthly: 0,
          yearly: 0,
          others: '1s',
          grace: '1s',
          tiers: {},
        },
        schedules: [
          { name: 'hourly', run: 'backup', cron: '0 * * * *', timezone: 'UTC', jitter: '1m', catchUp: '6h' },
          { name: 'expiry', run: 'expire', cron: '30 3 1 1 *', timezone: 'UTC', jitter: '1m', catchUp: '6h' },
        ],
      },
    });
    const { url } = ground.setting.kit.store;
    folder = join(layout(ground.sandbox.directory).store, new URL(url).hostname, new URL(url).pathname);
    await ground.startWorker();
    first = await backUp();
    second = await backUp();
    third = await backUp();
    await new Promise((resolve) => setTimeout(resolve, 1_100));
  });

  afterAll(async () => {
    await ground.run(['schedules', 'remove', 'expiry']);
    await ground.run(['schedules', 'remove', 'hourly']);
    await ground.close();
  });

  async function backUp(): Promise<string> {
    const { result, stderr } = await ground.run(['backup', redis]);
    expect(result.outcome, stderr).toBe('complete');
    // Rules and a schedule are there: only the second store is missing.
    expect(result.notConfigured).toEqual(['replicate']);
    return result.releases[0]?.recoveryPoint ?? '';
  }

  async function expire(): Promise<NonNullable<RunResult['releases'][number]['expiry']> | undefined> {
    const { result, stderr } = await ground.run(['expire']);
    expect(result.outcome, stderr).toBe('complete');
    return result.releases[0]?.expiry;
  }

  async function points(): Promise<Listed[]> {
    return (JSON.parse((await ground.run(['points'])).stdout) as { points: Listed[] }).points;
  }

  async function filesOf(point: string): Promise<string[]> {
    return await readdir(join(folder, 'points', 'sandbox', redis, point), { recursive: true }).catch(() => []);
  }

  it('shows for each point what keeps it, and changes nothing', async () => {
    const { result, exitCode } = await ground.run(['expire', '--dry-run']);
    expect(exitCode).toBe(0);
    expect(result.plan?.lines.map((line) => line.replace(/, [0-9.]+ .?i?B/, ''))).toEqual([
      `keep   ${redis} ${third}: newest usable, last 1`,
      `expire ${redis} ${second}: no line keeps it; removed after 1s`,
      `expire ${redis} ${first}: no line keeps it; removed after 1s`,
    ]);
    expect((await points()).map(({ expiredAt }) => expiredAt)).toEqual([null, null, null]);
  });

  it('expires what no line keeps, but not what somebody holds', async () => {
    const held = await ground.run(['points', 'hold', first, '--by', 'ann', '--reason', 'the audit']);
    expect(held.exitCode, held.stderr).toBe(0);
    expect(await expire()).toMatchObject({ kept: 2, expired: [second], removed: [] });
    expect(await points()).toMatchObject([
      { manifest: { id: third }, expiredAt: null },
      { manifest: { id: second }, expiredAt: expect.any(String) as string },
      { manifest: { id: first }, expiredAt: null, holds: [{ by: 'ann' }] },
    ]);
    expect((await filesOf(second)).length).toBeGreaterThan(3);
  });

  it('removes the data of an expired point when its grace is over, started by a schedule', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const applied = await ground.run(['schedules', 'apply']);
    expect(applied.exitCode, applied.stderr).toBe(0);
    expect((await ground.run(['schedules', 'trigger', 'expiry'])).exitCode).toBe(0);
    await expect.poll(async () => await filesOf(second), { timeout: 60_000 * slowness }).toEqual([]);
    await expect.poll(async () => await scheduledOutcomes(), { timeout: 30_000 * slowness }).toEqual(['COMPLETED']);

    expect((await points()).map(({ manifest }) => manifest.id)).toEqual([third, first]);
    const check = await ground.run(['store', 'check']);
    expect(JSON.parse(check.stdout)).toMatchObject({ findings: [], releases: [{ points: 2, newest: third }] });
    const verified = await ground.run(['verify', '--all']);
    expect(verified.result, verified.stderr).toMatchObject({ outcome: 'complete', releases: [{}, {}] });
  });

  it('refuses to recover a removed point, and recovers the one that was held', async () => {
    const refused = await ground.run(['recover', redis, '--point', second, '--on-failure', 'abort', ...approval]);
    expect(refused.result).toMatchObject({ outcome: 'refused', failure: { code: 'PointExpired' } });
    expect(refused.exitCode).toBe(4);
    const recovered = await ground.run(['recover', redis, '--point', first, '--on-failure', 'abort', ...approval]);
    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    expect(recovered.result.releases[0]?.facts.equal).toBe(true);
  });

  it('lets go of the points of a run at its end, and of a person by name', async () => {
    expect((await points()).flatMap(({ holds }) => holds.map(({ by }) => by))).toEqual(['ann']);
    const ended = await ground.run(['points', 'unhold', first]);
    expect(JSON.parse(ended.stdout)).toMatchObject({ ended: [{ by: 'ann', reason: 'the audit' }] });
    const { plan } = (await ground.run(['expire', '--dry-run'])).result;
    // It was restored, and its facts were equal: no point is better proven.
    expect(plan?.lines.find((line) => line.includes(first))).toMatch(/^keep .*: newest that was restored$/);
  });

  it('collects what a backup left that was killed a day ago, and not what is younger', async () => {
    const file = (point: string) => join(folder, 'points', 'sandbox', redis, point, 'database.rdb', '0001.zst.age');
    const [old, young] = ['20200101T000000Z-aaaaaa', '20200101T000000Z-bbbbbb'].map(file) as [string, string];
    for (const path of [old, young]) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, 'x'.repeat(100));
    }
    const longAgo = new Date(Date.now() - 2 * 86_400_000);
    await utimes(old, longAgo, longAgo);

    expect(JSON.parse((await ground.run(['store', 'gc', '--dry-run'])).stdout)).toMatchObject({
      objects: 1,
      bytes: 100,
    });
    expect(JSON.parse((await ground.run(['store', 'gc'])).stdout)).toMatchObject({ objects: 1, removed: true });

    expect(await filesOf('20200101T000000Z-aaaaaa')).toEqual([]);
    expect(await filesOf('20200101T000000Z-bbbbbb')).not.toEqual([]);
  });

  it('expires nothing without the file that the worker runs with, and nothing of a chain in doubt', async () => {
    const client = await temporalClient(ground);
    const handle = await client.workflow.start('expireRecoveryPoints', {
      taskQueue: 'lifeboat',
      workflowId: `expire-other-${String(Date.now())}`,
      args: [{ configDigest: 'another' }],
    });
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'ConfigDiffers' } });
    await client.connection.close();

    await rm(join(folder, 'manifests', 'sandbox', redis, '0000000001.json'));
    const { result, exitCode } = await ground.run(['expire']);
    expect(exitCode).toBe(1);
    expect(result).toMatchObject({ outcome: 'failed', releases: [{ failure: { code: 'ChainBroken' } }] });
  });

  async function scheduledOutcomes(): Promise<string[]> {
    const client = await temporalClient(ground);
    const found: string[] = [];
    for await (const run of client.workflow.list({ query: `WorkflowType = "expireRecoveryPoints"` }))
      if (run.workflowId.startsWith('expire-retention-expiry') && run.startTime >= since) found.push(run.status.name);
    await client.connection.close();
    return found;
  }
});

const approval = ['--yes', '--by', 'test', '--reason', 'test'];
