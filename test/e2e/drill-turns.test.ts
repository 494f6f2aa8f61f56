import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../model/outcome.ts';
import { type Ground, openGround } from './ground.ts';
import { temporalClient } from './temporal-client.ts';

const namespace = 'e2e-drill-turns-data';
const [first, second] = [`${namespace}/redis`, `${namespace}/sessions`];

describe('drills of the release longest not drilled', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround('drill-turns', {
      releases: [
        { chart: 'redis', namespace, name: 'redis' },
        { chart: 'redis', namespace, name: 'sessions' },
      ],
    });
    await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
  });

  it('take the one that has a point and was never drilled, and are partial while another has none', async () => {
    const backup = await ground.run(['backup', second]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');

    const drill = await ground.run(['drill', '--longest-not-drilled']);

    expect(drill.exitCode, drill.stderr).toBe(3);
    expect(drill.result.drill?.chosen).toEqual({
      release: second,
      restoredAt: null,
      why: 'the longest not drilled of 2 releases: no point of it was ever restored',
    });
    expect(drill.result.releases.map(({ release, outcome, failure }) => [release, outcome, failure?.code])).toEqual([
      [first, 'refused', 'PointNotVerified'],
      [second, 'complete', undefined],
    ]);
  });

  it('take the other one next, and then the one whose turn it is, from a schedule too', async () => {
    const backup = await ground.run(['backup', first]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    const plan = await ground.run(['drill', '--longest-not-drilled', '--dry-run']);
    expect(plan.result.plan?.lines[0]).toBe(
      `choose ${first}, the longest not drilled of 2 releases: no point of it was ever restored`,
    );
    const drill = await ground.run(['drill', '--longest-not-drilled']);
    expect(drill.exitCode, drill.stderr).toBe(0);
    expect(drill.result.releases.map(({ release }) => release)).toEqual([first]);
    // A point that is only read back again has not been restored again.
    const verified = await ground.run(['verify', '--release', second]);
    expect(verified.exitCode, verified.stderr).toBe(0);

    const result = await runSchedule();

    expect(result).toMatchObject({ type: 'runDrill', outcome: 'complete', releases: [{ release: second }] });
    expect(result.drill?.chosen?.why).toMatch(/^the longest not drilled of 2 releases: last restored 20/);
    expect(result.notes).toContain(`drilled ${second}: ${result.drill?.chosen?.why ?? ''}`);
    expect(
      (await ground.kubectl(['get', 'namespaces', '-l', 'lifeboat.dev/drill', '-o', 'name'])).includes(namespace),
    ).toBe(false);
  });

  it('are chosen by that alone', async () => {
    const both = await ground.run(['drill', first, '--longest-not-drilled']);
    expect(both.exitCode).toBe(2);
    expect(both.stderr).toContain('or --longest-not-drilled, one of them');
  });

  async function runSchedule(): Promise<RunResult> {
    const path = join(ground.setting.directory, 'with-turns.yaml');
    const plain = await readFile(ground.setting.configPath, 'utf8');
    const apply = async (lines: string): Promise<string> => {
      await writeFile(path, `${plain}${lines}`);
      const applied = await ground.run(['schedules', 'apply'], { LIFEBOAT_CONFIG: path });
      expect(applied.exitCode, applied.stderr).toBe(0);
      return applied.stdout;
    };
    await apply('schedules:\n  - { name: turns, run: drill, cron: "0 4 * * 0", longestNotDrilled: true }\n');
    const client = await temporalClient(ground);
    const schedule = client.schedule.getHandle('drill-turns-turns');
    await schedule.trigger();
    let workflowId: string | undefined;
    for (const end = Date.now() + 60_000; workflowId === undefined && Date.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      workflowId = (await schedule.describe()).info.recentActions[0]?.action.workflow.workflowId;
    }
    const result = (await client.workflow.getHandle(workflowId ?? '').result()) as RunResult;
    await apply('');
    await client.connection.close();
    return result;
  }
});
