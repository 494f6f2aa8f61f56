import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkWriter, startWriter } from '../../sandbox/platform/writer.ts';
import { slowness } from '../slowness.ts';
import { clusterState } from './as-it-was.ts';
import { expectEachRow } from './expect-each-row.ts';
import { type Ground, openGround, type Ran } from './ground.ts';

const namespace = 'e2e-mariadb';
const release = { chart: 'mysql', namespace, name: 'mysql' };
const title = `${namespace}/mysql`;

describe('an upgrade of MariaDB from 10.11 to 11.4', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround('mariadb', { releases: [release] });
    await ground.startWorker();
  });

  afterAll(() => ground.close());

  it('shows in a dry run what it would do, and changes nothing', async () => {
    const before = await clusterState(ground);

    const ran = await upgrade(['--dry-run']);

    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(ran.result.plan?.lines.join('\n')).toMatch(/upgrade .*mysql from mysql .*, blue-green/);
    expect(await clusterState(ground)).toEqual(before);
  });

  it('moves every row that clients wrote, the routines and the accounts, blue-green', async () => {
    const writer = await startWriter(ground.sandbox, release);
    const ran = await upgrade(['--soak', '5s', '--yes', '--by', 'test', '--reason', 'test']);
    const before = writer.acknowledgedCount;
    await expect.poll(() => writer.acknowledgedCount, { timeout: 60_000 * slowness }).toBeGreaterThan(before + 3);
    const { acknowledged, longestGapMs } = await writer.stop();

    expect(ran.result.outcome, `${ran.stderr}\n${JSON.stringify(ran.result.failure)}`).toBe('complete');
    const { facts, upgrade: measured } = ran.result.releases[0] ?? {};
    expect(facts).toMatchObject({ equal: true });
    await expectEachRow(ground, release, acknowledged);
    expect((await checkWriter(ground.sandbox, release)).rows).toBeGreaterThan(10);
    expect(measured?.writeGapMs).toBeLessThanOrEqual(longestGapMs + 1_000);
    expect(await sql('SELECT VERSION()')).toMatch(/^11\.4\./);
    process.stdout.write(
      `MariaDB 10.11 to 11.4: ${String(facts?.compared)} facts, clients kept out ${JSON.stringify(measured?.gapsMs)}, longest gap of the writer ${String(longestGapMs)} ms\n`,
    );
  });

  it('leaves a release that is backed up and recovered as before', async () => {
    const backup = await ground.run(['backup', title]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');

    const recovered = await ground.run(['recover', title, '--yes', '--by', 'test', '--reason', 'test']);

    expect(recovered.result.outcome, `${recovered.stderr}\n${JSON.stringify(recovered.result.failure)}`).toBe(
      'complete',
    );
    expect(recovered.result.releases[0]?.facts).toMatchObject({ equal: true });
  });

  async function upgrade(more: readonly string[]): Promise<Ran> {
    const to = ['--strategy', 'blue-green', '--set-string', 'image.tag=11.4', '--max-write-gap', '10m'];
    return await ground.run(['upgrade', title, ...to, ...more]);
  }

  async function sql(statement: string): Promise<string> {
    const client = 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD exec mariadb --protocol=socket -uroot -N -B -e "$1"';
    const command = ['exec', '-n', namespace, 'mysql-0', '-c', 'mysql', '--', 'sh', '-c', client, 'sh', statement];
    return (await ground.kubectl(command)).trim();
  }
});
