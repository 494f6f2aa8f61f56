import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lifeboat } from '../../demo/command.ts';
import type { LiveSchedule, ScheduleChange } from '../../workers/schedules.ts';
import { type Ground, openGround } from './ground.ts';
import { temporalClient } from './temporal-client.ts';

describe('schedules of lifeboat.yaml', () => {
  let ground: Ground;
  let path: string;
  let plain: string;

  const use = async (lines: string): Promise<void> => {
    await writeFile(path, `${plain}schedules:\n${lines}`);
  };
  const run = async (...args: string[]) =>
    await lifeboat({ ...ground.setting, env: { ...ground.setting.env, LIFEBOAT_CONFIG: path } }, [
      'schedules',
      ...args,
    ]);
  const changes = async (...args: string[]): Promise<string[]> => {
    const ran = await run('apply', '--json', ...args);
    expect(ran.exitCode, ran.stderr).toBe(0);
    return (JSON.parse(ran.stdout) as ScheduleChange[]).map(({ name, change }) => `${change} ${name}`);
  };
  const listed = async (): Promise<LiveSchedule[]> =>
    (JSON.parse((await run('list', '--json')).stdout) as { schedules: LiveSchedule[] }).schedules;
  /** Runs the command line of Temporal. */
  const temporal = async (...args: string[]): Promise<void> => {
    const { address } = ground.sandbox.temporal;
    const where = ['--address', address, '--namespace', ground.temporalNamespace];
    await promisify(execFile)(ground.sandbox.tools.temporal, [...args, ...where]);
  };
  /** Temporal's list of schedules follows what was done to them by a moment. */
  const until = async (wanted: (live: LiveSchedule[]) => boolean): Promise<LiveSchedule[]> => {
    const end = Date.now() + 100_000;
    for (;;) {
      const live = await listed();
      if (wanted(live)) return live;
      if (Date.now() > end) throw new Error(`not as wanted: ${JSON.stringify(live)}`);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
  };

  beforeAll(async () => {
    ground = await openGround('schedules');
    path = join(ground.setting.directory, 'with-schedules.yaml');
    plain = await readFile(ground.setting.configPath, 'utf8');
    await ground.startWorker();
  });

  afterAll(async () => {
    for (const { name } of await listed()) await run('remove', name);
    await ground.close();
  });

  it('are made once, changed where a line changed, and removed with their line, each shown before', async () => {
    await use(
      '  - { name: nightly, run: backup, cron: "0 */6 * * *" }\n  - { name: check, run: verify, cron: "0 5 * * 0" }\n',
    );
    expect(await changes('--dry-run')).toEqual(['create nightly', 'create check']);
    expect(await listed()).toEqual([]);
    expect(await changes()).toEqual(['create nightly', 'create check']);
    await until((live) => live.length === 2);
    expect(await changes()).toEqual(['none nightly', 'none check']);
    expect((await run('apply')).stdout.trim()).toBe('nothing to change, 2 as they are');

    await run('pause', 'nightly', '--by', 'ann', '--reason', 'the store moves');
    await use('  - { name: nightly, run: backup, cron: "30 */6 * * *" }\n');
    const applied = await run('apply');
    expect(applied.stdout).toContain('~ nightly   cron 0 */6 * * * → 30 */6 * * *');
    expect(applied.stdout).toContain('- check   verify at 0 5 * * 0 UTC');
    const [nightly, ...others] = await until((live) => live.length === 1);
    expect(others).toEqual([]);
    expect(nightly).toMatchObject({
      paused: true,
      note: 'the store moves (ann, lifeboat schedules pause)',
      line: { cron: '30 */6 * * *' },
    });
    expect((await run('trigger', 'weekly')).stderr).toContain('find schedule weekly: Temporal has nightly');
  });

  it('are put right where somebody edited them in Temporal, each difference shown before', async () => {
    await use('  - { name: nightly, run: backup, cron: "0 */6 * * *", jitter: 2m }\n');
    await changes();
    const [before] = await until((live) => live[0]?.line.jitter === '2m' && live[0].edited.length === 0);
    expect((await run('resume', 'nightly', '--json')).stdout).toContain('"did": "resumed"');
    // As `temporal schedule update` does it: all is replaced, and what it is not given is gone.
    await temporal(
      'schedule',
      'update',
      '--schedule-id',
      before?.id ?? '',
      '--cron',
      '30 3 * * 1-5',
      '--type',
      'selfTest',
      '--task-queue',
      'lifeboat',
      '--workflow-id',
      'by-hand',
      '--input',
      '{"tier":1}',
      '--overlap-policy',
      'AllowAll',
    );
    await temporal('schedule', 'toggle', '--schedule-id', before?.id ?? '', '--pause', '--reason', 'quiet, please');

    const shown = await run('apply', '--dry-run');
    expect(shown.exitCode, shown.stderr).toBe(0);
    for (const difference of [
      'starts 30 3 * * 1,2,3,4,5 → 0 */6 * * *',
      'workflow selfTest → backUpPlatform',
      'workflow id by-hand → backup-schedules-nightly',
      'input [{"tier":1}] → [{"trigger":"schedule"}]',
      'overlap ALLOW_ALL → SKIP',
      'paused (quiet, please) → on',
    ])
      expect(shown.stdout).toContain(`edited in Temporal: ${difference}`);
    expect((await run('list')).stdout).toContain('edited in Temporal: lifeboat schedules apply --dry-run');

    expect(await changes()).toEqual(['update nightly']);

    const [after] = await until((live) => live[0]?.edited.length === 0);
    expect(after).toMatchObject({ name: 'nightly', paused: false, edited: [], line: before?.line });
    expect(new Date(after?.next ?? '').getUTCHours() % 6).toBe(0);
    const client = await temporalClient(ground);
    const { action } = await client.schedule.getHandle(before?.id ?? '').describe();
    expect(action).toMatchObject({ workflowType: 'backUpPlatform', args: [{ trigger: 'schedule' }] });
    await client.connection.close();
    expect(await changes()).toEqual(['none nightly']);
  });

  it('say what was done to them as JSON where that is asked for', async () => {
    await use('  - { name: check, run: verify, cron: "0 5 * * 0" }\n');
    await changes();
    const said = async (...args: string[]): Promise<unknown> => JSON.parse((await run(...args, '--json')).stdout);

    expect(await said('pause', 'check', '--by', 'ann', '--reason', 'the store moves')).toEqual({
      name: 'check',
      did: 'paused',
      note: 'the store moves (ann, lifeboat schedules pause)',
    });
    expect(await said('resume', 'check')).toEqual({ name: 'check', did: 'resumed' });
    expect(await said('trigger', 'check')).toMatchObject({ name: 'check', did: 'triggered' });
    expect(await said('remove', 'check')).toEqual({ name: 'check', did: 'removed' });
  });

  it('start a real backup at their time', async () => {
    await use('  - { name: each-minute, run: backup, cron: "* * * * *", jitter: 1s }\n');
    await changes();

    const [live] = await until((each) => each[0]?.name === 'each-minute' && each[0].last !== null);
    await run('pause', 'each-minute', '--by', 'test', '--reason', 'seen');

    const client = await temporalClient(ground);
    const handle = client.workflow.getHandle(live?.last?.workflowId ?? '');
    expect(await handle.result()).toMatchObject({ type: 'backUpPlatform', outcome: 'complete' });
    const { memo, startTime } = await handle.describe();
    expect(memo).toMatchObject({ lifeboatSchedule: { line: { name: 'each-minute' } } });
    expect(startTime.getSeconds()).toBeLessThan(10);
    await client.connection.close();
  });

  it('are refused where they cannot meet an objective, before anything is applied', async () => {
    await use('  - { name: weekly, run: backup, cron: "0 2 * * 0" }\n');

    const refused = await run('apply');

    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(
      /ScheduleUnfit: check schedules of lifeboat\.yaml: e2e-schedules-data\/postgresql: up to 7d between two backups by weekly, its RPO objective is 6h/,
    );
    expect(refused.stderr).toContain('more often, or with another objective');
  });
});
