import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installRelease } from '../../sandbox/platform/install-release.ts';
import { startWriter } from '../../sandbox/platform/writer.ts';
import { slowness } from '../slowness.ts';
import { clusterState, postgresState } from './as-it-was.ts';
import { cancelRun } from './cancel-run.ts';
import { expectEachRow } from './expect-each-row.ts';
import { type Ground, openGround, type Ran } from './ground.ts';

const namespace = 'e2e-upgrade-major';
const release = { chart: 'postgresql', namespace, name: 'postgresql' };
const approved = ['--yes', '--by', 'test', '--reason', 'test'] as const;

describe('an upgrade of PostgreSQL to another major version', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround('upgrade-major', { releases: [release] });
    await ground.startWorker({ LIFEBOAT_READY_WITHIN_MS: '90000' });
  });

  afterAll(async () => {
    await ground.close();
  });

  it('goes back to the old volume, untouched, when the new pods never become ready', async () => {
    const before = await state();

    const ran = await upgrade('never-made');

    expect(ran.result, ran.stderr).toMatchObject({
      outcome: 'failed',
      compensation: 'done',
      failure: { code: 'PodNeverReady' },
      releases: [{ facts: { equal: true } }],
    });
    expect(await state()).toEqual(before);
  });

  it('goes back to the old volume when it is cancelled while the data is restored', async () => {
    const before = await state();

    await cancelRun(ground, upgradeTo('17'), { activity: 'restoreComponent', approve: true });

    expect(await state()).toEqual(before);
    expect(await psql('SHOW server_version_num')).toMatch(/^15/);
  });

  it('keeps every row that was acknowledged, and says how long nothing could be written', async () => {
    const old = await volumeOfClaim();
    const writer = await startWriter(ground.sandbox, release);
    const ran = await upgrade('17');
    const acknowledgedBefore = writer.acknowledgedCount;
    await expect
      .poll(() => writer.acknowledgedCount, { timeout: 60_000 * slowness })
      .toBeGreaterThan(acknowledgedBefore + 5);
    const { acknowledged, longestGapMs } = await writer.stop();

    expect(ran.result.outcome, ran.stderr).toBe('complete');
    const [result] = ran.result.releases;
    expect(result?.facts).toMatchObject({ equal: true });
    await expectEachRow(ground, release, acknowledged);
    expect(await psql('SHOW server_version_num')).toMatch(/^17/);
    // What the run measured is what the writer saw, give or take how often it tries.
    expect(result?.upgrade?.writeGapMs).toBeGreaterThan(1_000);
    expect(result?.upgrade?.writeGapMs).toBeLessThanOrEqual(longestGapMs + 1_000);
    expect(await volumeOfClaim()).not.toBe(old);
    expect(await ground.kubectl(['get', 'pv', old, '-o', 'jsonpath={.status.phase}'])).toBe('Released');
    process.stdout.write(
      `upgrade by dump-restore: clients kept out ${String(result?.upgrade?.writeGapMs)} ms, longest gap of the writer ${String(longestGapMs)} ms, ${String(ran.result.durationMs)} ms in all\n`,
    );
    await ground.kubectl(['delete', 'pv', old, '--wait=false']);
  });

  it('leaves a release that a plain helm upgrade does not change', async () => {
    const uid = await podUid();
    await installRelease(ground.sandbox, { ...release, values: { image: { tag: '17' } } });

    expect(await podUid()).toBe(uid);
    const backup = await ground.run(['backup', `${namespace}/postgresql`]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
  });

  async function upgrade(tag: string): Promise<Ran> {
    return await ground.run([...upgradeTo(tag), ...approved]);
  }

  function upgradeTo(tag: string): string[] {
    return ['upgrade', `${namespace}/postgresql`, '--strategy', 'dump-restore', '--set-string', `image.tag=${tag}`];
  }

  async function state(): Promise<string[]> {
    return [...(await clusterState(ground)), ...(await postgresState(ground)), await volumeOfClaim()];
  }

  async function volumeOfClaim(): Promise<string> {
    return await ground.kubectl([
      'get',
      'pvc',
      'data-postgresql-0',
      '-n',
      namespace,
      '-o',
      'jsonpath={.spec.volumeName}',
    ]);
  }

  async function podUid(): Promise<string> {
    return await ground.kubectl(['get', 'pod', 'postgresql-0', '-n', namespace, '-o', 'jsonpath={.metadata.uid}']);
  }

  async function psql(sql: string): Promise<string> {
    const command = ['psql', '-XAtq', '-U', 'postgres', '-d', 'template1', '-c', sql];
    return await ground.kubectl(['exec', '-n', namespace, 'postgresql-0', '-c', 'postgresql', '--', ...command]);
  }
});
