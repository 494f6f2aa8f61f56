import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../model/outcome.ts';
import { searchAttributes } from '../../model/run-names.ts';
import { checkout } from '../../sandbox/layout.ts';
import { waitUntil } from '../../sandbox/run.ts';
import { findTool } from '../../workers/tools/find-tool.ts';
import { slowness } from '../slowness.ts';
import { type Ground, openGround } from './ground.ts';
import { HowToPage } from './how-to-page.ts';
import { temporalClient } from './temporal-client.ts';

const outcomeKey = defineSearchAttributeKey(searchAttributes.outcome, SearchAttributeType.KEYWORD);
const namespace = 'e2e-incident-data';
const release = `${namespace}/redis`;

describe('the commands of an incident', () => {
  let ground: Ground;
  let client: Client;
  let programs: string;
  let howTo: HowToPage;
  let env: Record<string, string>;
  let keys: string;

  beforeAll(async () => {
    ground = await openGround('incident', { releases: [{ chart: 'redis', namespace, name: 'redis' }] });
    client = await temporalClient(ground);
    programs = await mkdtemp(join(tmpdir(), 'lifeboat-programs-'));
    await symlink(await findTool('tctl'), join(programs, 'tctl'));
    await symlink(join(checkout, 'bin', 'temporal-lifeboat.js'), join(programs, 'temporal-lifeboat'));
    const { address } = ground.sandbox.temporal;
    env = {
      ...ground.setting.env,
      PATH: [programs, dirname(ground.sandbox.tools.temporal), process.env['PATH'] ?? ''].join(delimiter),
      TEMPORAL_ADDRESS: address,
      TEMPORAL_NAMESPACE: ground.temporalNamespace,
      TEMPORAL_CLI_ADDRESS: address,
      TEMPORAL_CLI_NAMESPACE: ground.temporalNamespace,
    };
    howTo = await HowToPage.open('incident-commands.md', { 'orders/redis': release }, env);
    await ground.startWorker();
    const backup = await ground.run(['backup', release]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    keys = await redis('DBSIZE');
    expect(Number(keys)).toBeGreaterThan(1_000);
  });

  afterAll(async () => {
    await client.connection.close();
    await rm(programs, { recursive: true, force: true });
    await ground.close();
  });

  async function redis(command: string): Promise<string> {
    const script = `REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli --no-auth-warning ${command}`;
    return (await ground.kubectl(['exec', '-n', namespace, 'redis-0', '--', 'sh', '-c', script])).trim();
  }

  /** Loses every key, as incidents do. */
  async function lose(): Promise<void> {
    await redis('FLUSHALL');
    expect(await redis('DBSIZE')).toBe('0');
  }

  /** What a command that asks for `progress` prints once the run waits for an approval. */
  async function untilAsked(ask: () => Promise<string>): Promise<string> {
    const digest = /"planDigest":\s*"([0-9a-f]{64})"/;
    return await waitUntil('the run asks', async () => digest.exec(await ask().catch(() => ''))?.[1], {
      timeoutMs: 120_000 * slowness,
      everyMs: 1_000,
    });
  }

  async function expectRecovered(workflowId: string): Promise<void> {
    const result = (await client.workflow.getHandle(workflowId).result()) as RunResult;
    expect(result).toMatchObject({
      outcome: 'complete',
      releases: [{ release, outcome: 'complete', facts: { equal: true } }],
    });
    expect(result.releases[0]?.facts.compared).toBeGreaterThan(1_000);
    expect(result.notes).toContain('approved by ann: incident 42');
    expect(await redis('DBSIZE')).toBe(keys);
  }

  it('restore by temporal, are approved by an update and followed there', async () => {
    await lose();
    const plan = await howTo.run('temporal workflow execute');
    expect(plan).toContain(`volume claim ${namespace}/data-redis-0`);

    await howTo.run('temporal workflow start');
    const digest = await untilAsked(() => howTo.run('temporal workflow query'));
    expect(await howTo.run('temporal workflow metadata')).toContain('**Waits for approval.** It will overwrite:');
    const approved = await howTo.run('temporal workflow update execute', { DIGEST: digest });
    expect(approved).toContain('approved by ann');
    const described = await howTo.run('temporal workflow describe');
    expect(described).toMatch(/Pending Activities: [01]/);
    const result = await howTo.run('temporal workflow result');

    expect(result).toContain('"outcome":"complete"');
    await expectRecovered('recover-redis');
  });

  it('restore by tctl, are approved by a signal and followed there', async () => {
    await lose();

    await howTo.run('tctl workflow start --taskqueue lifeboat --workflow_type recoverRelease --workflow_id recover-by');
    const digest = await untilAsked(() => howTo.run('tctl workflow query'));
    await howTo.run('tctl workflow signal', { DIGEST: digest });
    expect(await howTo.run('tctl workflow describe')).toContain('"workflowExecutionTimeout": "604800s"');
    const observed = await howTo.run('tctl workflow observe');

    expect(observed).toMatch(/WorkflowExecutionCompleted[\s\S]*Status: COMPLETED/);
    await expectRecovered('recover-by-tctl');
  });

  it('are refused where Temporal would end them half way', async () => {
    await howTo.run(
      'tctl workflow start --taskqueue lifeboat --workflow_type recoverRelease --workflow_id recover-too-short',
    );

    const closed = await ground.run(['watch', 'recover-too-short']);

    expect(closed.exitCode).toBe(4);
    expect(closed.result).toMatchObject({
      outcome: 'refused',
      compensation: 'none',
      waitedForPeopleMs: 0,
      failure: { code: 'TimeoutTooShort', changed: 'no' },
    });
    expect(await redis('DBSIZE')).toBe(keys);
  });

  it('cancel a run that waits, and nothing was changed', async () => {
    await client.workflow.start('recoverRelease', {
      taskQueue: 'lifeboat',
      workflowId: 'recover-again',
      args: [{ release }],
    });
    await untilAsked(async () => JSON.stringify(await client.workflow.getHandle('recover-again').query('progress')));

    await howTo.run('temporal workflow cancel');

    const ended = await ground.run(['watch', 'recover-again']);
    expect(ended.result).toMatchObject({ outcome: 'cancelled' });
    expect(await redis('DBSIZE')).toBe(keys);
  });

  it('are those of lifeboat too, by temporal lifeboat', async () => {
    expect(await howTo.run('temporal lifeboat recover')).toContain(`volume claim ${namespace}/data-redis-0`);
    expect(await howTo.run('temporal lifeboat report')).toContain(release);
    expect(howTo.untried()).toEqual([]);
  });

  it('let a backup and a verification run by a cron line, until they are cancelled', async () => {
    const schedule = await HowToPage.open(
      'schedule.md',
      { '"0 2 * * *"': '"* * * * *"', '"0 6 * * 0"': '"* * * * *"' },
      env,
    );
    await schedule.run('temporal workflow start');
    await schedule.run('tctl workflow start');

    await client.workflow.start('backUpRelease', {
      taskQueue: 'lifeboat',
      workflowId: 'mistaken',
      cronSchedule: '* * * * *',
      args: [{ relaese: release }],
    });

    const first = async (workflowId: string) => {
      const { runId } = await client.workflow.getHandle(workflowId).describe();
      return await waitUntil(
        `${workflowId} ran`,
        async () => {
          const { status, typedSearchAttributes } = await client.workflow.getHandle(workflowId, runId).describe();
          return status.name === 'RUNNING' ? undefined : [status.name, typedSearchAttributes.get(outcomeKey)];
        },
        { timeoutMs: 300_000 * slowness },
      );
    };
    expect(await Promise.all([first('nightly'), first('weekly'), first('mistaken')])).toEqual([
      ['COMPLETED', 'complete'],
      ['COMPLETED', 'complete'],
      ['FAILED', 'refused'],
    ]);
    // It ends before it hears of a cancel, and the next one comes.
    await client.workflow.getHandle('mistaken').terminate('seen');

    await schedule.run('temporal workflow cancel');
    await schedule.run('tctl workflow cancel');
    await waitUntil(
      'both are cancelled for good',
      async () => {
        const now = await Promise.all(['nightly', 'weekly'].map((id) => client.workflow.getHandle(id).describe()));
        return now.every(({ status }) => status.name === 'CANCELLED') ? true : undefined;
      },
      { timeoutMs: 120_000 * slowness },
    );
    expect(schedule.untried()).toEqual([]);
  });
});
