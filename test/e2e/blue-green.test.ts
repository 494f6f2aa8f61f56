import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installRelease } from '../../sandbox/platform/install-release.ts';
import { checkWriter, type RunningWriter, startWriter } from '../../sandbox/platform/writer.ts';
import { findTool } from '../../workers/tools/find-tool.ts';
import { slowness } from '../slowness.ts';
import { clusterState, postgresState } from './as-it-was.ts';
import { expectEachRow } from './expect-each-row.ts';
import { type Ground, openGround, type Ran } from './ground.ts';
import { approveWhenAsked, progressOf, temporalClient, untilPhase } from './temporal-client.ts';

const namespace = 'e2e-blue-green';
const release = { chart: 'postgresql', namespace, name: 'postgresql' };
const green = { ...release, name: 'postgresql-green' };
const title = `${namespace}/postgresql`;
const approved = ['--yes', '--by', 'test', '--reason', 'test'] as const;
const decided = ['--by', 'test', '--reason', 'test'] as const;

describe('a blue-green upgrade of PostgreSQL to another major version', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround('blue-green', { releases: [release] });
    await ground.startWorker({ LIFEBOAT_READY_WITHIN_MS: '90000' });
  });

  afterAll(async () => {
    await ground.close();
  });

  it('stops before clients are kept out where the rehearsal says that it would take too long', async () => {
    const before = await state();

    const ran = await ground.run([...upgrade(['--max-write-gap', '1ms']), ...approved]);

    expect(ran.result, ran.stderr).toMatchObject({
      outcome: 'failed',
      compensation: 'done',
      failure: { code: 'WriteGapTooLong' },
      releases: [{ upgrade: { writeGapMs: null } }],
    });
    expect(ran.exitCode).toBe(1);
    expect(await activitiesOf(ran.result.workflowId)).not.toContain('raiseFence');
    expect(await state()).toEqual(before);
  });

  it('rolls back with every row that was written to the new version', async () => {
    const writer = await startWriter(ground.sandbox, release);
    const workflowId = await startUpgrade('17');
    await untilPhase(ground, workflowId, 'soaking');
    await writes(writer);
    expect(await version(green.name)).toMatch(/^17/);
    const blueRows = (await checkWriter(ground.sandbox, release)).rows;
    expect((await checkWriter(ground.sandbox, green)).rows).toBeGreaterThan(blueRows);

    await decide(workflowId, 'rollback');
    const ran = await ground.run(['watch', workflowId]);
    await writes(writer);
    const { longestGapMs, acknowledged } = await writer.stop();

    expect(ran.result, ran.stderr).toMatchObject({
      outcome: 'failed',
      compensation: 'done',
      failure: { code: 'RolledBack' },
    });
    await expectEachRow(ground, release, acknowledged);
    expect(await version()).toMatch(/^15/);
    const gaps = ran.result.releases[0]?.upgrade?.gapsMs;
    expect(gaps?.cutover).toBeGreaterThan(500);
    expect(gaps?.rollback).toBeGreaterThan(500);
    expect(Math.max(gaps?.cutover ?? 0, gaps?.rollback ?? 0)).toBeLessThanOrEqual(longestGapMs + 1_000);
    expect(await leftovers()).toEqual([]);
  });

  it('promotes the new version under a writer, and refuses to roll back what would be lost', async () => {
    const old = await volumeOfClaim();
    const writer = await startWriter(ground.sandbox, release);
    const workflowId = await startUpgrade('18');
    await untilPhase(ground, workflowId, 'soaking');
    await writes(writer);
    await psql('CREATE TABLE ledger.audits (id int PRIMARY KEY); INSERT INTO ledger.audits VALUES (1)', green.name);

    await decide(workflowId, 'rollback');
    await expect
      .poll(async () => (await progressOf(ground, workflowId)).questions[0]?.asks, {
        timeout: 120_000 * slowness,
        interval: 1_000,
      })
      .toMatch(/would be lost: .*1 × db…\/table…\/rows new/);
    await writes(writer);
    await expectEachRow(ground, green, [writer.lastAcknowledged]);

    await decide(workflowId, 'promote');
    const ran = await ground.run(['watch', workflowId]);
    await writes(writer);
    const { acknowledged, longestGapMs } = await writer.stop();

    expect(ran.result.outcome, `${ran.stderr}\n${JSON.stringify(ran.result.failure)}`).toBe('complete');
    await expectEachRow(ground, release, acknowledged);
    expect(await psql('SELECT count(*) FROM ledger.audits')).toBe('1');
    expect(await version()).toMatch(/^18/);
    expect(await volumeOfClaim()).not.toBe(old);
    expect(await ground.kubectl(['get', 'pv', old, '-o', 'jsonpath={.status.phase}'])).toBe('Released');
    expect(await leftovers()).toEqual([]);
    const { gapsMs, writeGapMs, forecastMs } = ran.result.releases[0]?.upgrade ?? {};
    expect(writeGapMs).toBeLessThanOrEqual(longestGapMs + 1_000);
    process.stdout.write(
      `blue-green: forecast ${String(forecastMs)} ms, clients kept out ${JSON.stringify(gapsMs)}, longest gap of the writer ${String(longestGapMs)} ms, ${String(ran.result.durationMs)} ms in all\n`,
    );
    await ground.kubectl(['delete', 'pv', old, '--wait=false']);
  });

  it.each(['helm', 'helm3'] as const)('leaves a release that a plain upgrade by %s does not change', async (tool) => {
    const uid = await podUid();
    const tools = { ...ground.sandbox.tools, helm: await findTool(tool) };
    await installRelease({ ...ground.sandbox, tools }, { ...release, values: { image: { tag: '18' } } });

    expect(await podUid()).toBe(uid);
    expect(await leftovers()).toEqual([]);
  });

  it('leaves a release that is backed up as before, and tells the gap of the next upgrade from it', async () => {
    const backup = await ground.run(['backup', title]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    const plan = await ground.run([...upgrade([], '17'), '--dry-run']);
    expect(plan.result.plan?.lines.join('\n')).toMatch(/forecast of the gap: more than [0-9]+ s, which the backup of/);
  });

  function upgrade(more: readonly string[], tag = '17'): string[] {
    const gap = more.includes('--max-write-gap') ? [] : ['--max-write-gap', '10m'];
    return ['upgrade', title, '--strategy', 'blue-green', '--set-string', `image.tag=${tag}`, ...gap, ...more];
  }

  async function startUpgrade(tag: string): Promise<string> {
    const started = await ground.run([...upgrade(['--soak', '20s', '--promote', 'ask'], tag), '--no-wait']);
    expect(started.exitCode, started.stderr).toBe(0);
    await approveWhenAsked(ground, started.result.workflowId);
    return started.result.workflowId;
  }

  async function activitiesOf(workflowId: string): Promise<string[]> {
    const client = await temporalClient(ground);
    const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
    await client.connection.close();
    return (events ?? []).flatMap((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
  }

  async function decide(workflowId: string, action: 'promote' | 'rollback'): Promise<Ran> {
    return await ground.run(['decide', workflowId, action, ...decided]);
  }

  /** Waits until the writer goes on. */
  async function writes(writer: RunningWriter): Promise<void> {
    const before = writer.acknowledgedCount;
    await expect.poll(() => writer.acknowledgedCount, { timeout: 60_000 * slowness }).toBeGreaterThan(before + 3);
  }

  async function state(): Promise<string[]> {
    return [...(await clusterState(ground)), ...(await postgresState(ground)), await volumeOfClaim()];
  }

  /** What a run would have left: objects of green, and marks on the Services. */
  async function leftovers(): Promise<string[]> {
    const of = `app.kubernetes.io/instance=${green.name}`;
    const objects = await ground.kubectl(['get', 'all,pvc,secret,configmap', '-n', namespace, '-l', of, '-o', 'name']);
    const services = await ground.kubectl(['get', 'service', '-n', namespace, '-o', 'json']);
    return [...objects.split('\n').filter((line) => line !== ''), ...(services.match(/lifeboat\.dev\/[a-z-]+/g) ?? [])];
  }

  async function volumeOfClaim(): Promise<string> {
    const path = 'jsonpath={.spec.volumeName}';
    return await ground.kubectl(['get', 'pvc', 'data-postgresql-0', '-n', namespace, '-o', path]);
  }

  async function podUid(): Promise<string> {
    return await ground.kubectl(['get', 'pod', 'postgresql-0', '-n', namespace, '-o', 'jsonpath={.metadata.uid}']);
  }

  async function version(name = release.name): Promise<string> {
    return await psql('SHOW server_version_num', name, 'template1');
  }

  async function psql(sql: string, name = release.name, database = 'shop'): Promise<string> {
    const command = ['psql', '-XAtq', '-U', 'postgres', '-d', database, '-c', sql];
    return (await ground.kubectl(['exec', '-n', namespace, `${name}-0`, '-c', 'postgresql', '--', ...command])).trim();
  }
});
