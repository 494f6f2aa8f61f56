import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startWriter } from '../../sandbox/platform/writer.ts';
import { clusterState, postgresState } from '../e2e/as-it-was.ts';
import { denyingPolicy } from '../e2e/denying-policy.ts';
import { expectEachRow } from '../e2e/expect-each-row.ts';
import { type Ground, openGround } from '../e2e/ground.ts';
import { approveWhenAsked, untilPhase } from '../e2e/temporal-client.ts';
import { slowness } from '../slowness.ts';

const namespace = 'faults-blue-green';
const release = { chart: 'postgresql', namespace, name: 'postgresql' };

const upgrade = [
  ...['upgrade', `${namespace}/postgresql`, '--strategy', 'blue-green', '--set-string', 'image.tag=17'],
  ...['--max-write-gap', '30m', '--soak', '20s'],
];

/** Refuses the write that leads a Service of the namespace to green. */
const refusal = denyingPolicy({
  name: namespace,
  namespace,
  resource: { group: '', name: 'services' },
  unless: "!has(object.metadata.annotations) || !('lifeboat.dev/cutover' in object.metadata.annotations)",
});

describe('a blue-green upgrade that does not go on', () => {
  let ground: Ground;
  let worker: Awaited<ReturnType<Ground['startWorker']>>;

  beforeAll(async () => {
    ground = await openGround('blue-green-faults', { releases: [release] });
    worker = await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
  });

  it.each(['installing green', 'rehearsing the move', 'moving', 'soaking', 'promoting'])(
    'leaves the release serving, as it was, when it is cancelled while %s',
    async (phase) => {
      const before = await state();
      const workflowId = await startUpgrade();
      await untilPhase(ground, workflowId, phase);
      // From then on there is something to take away, before the run has even read what it installed.
      if (phase === 'installing green') await untilClaimed();

      await ground.run(['cancel', workflowId]);
      const ended = await ground.run(['watch', workflowId]);

      expect(ended.result, ended.stderr).toMatchObject({ outcome: 'cancelled' });
      expect(ended.exitCode).toBe(5);
      expect(await state()).toEqual(before);
    },
  );

  it('is given up before clients are kept out where the new version holds other data', async () => {
    // A column that is computed anew by the server that restores it.
    await psql(`CREATE FUNCTION told() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT current_setting('server_version_num') $$;
      CREATE TABLE versions (id int PRIMARY KEY, by text GENERATED ALWAYS AS (told()) STORED); INSERT INTO versions VALUES (1)`);
    const before = await state();
    try {
      const ran = await ground.run([...upgrade, '--yes', '--by', 'test', '--reason', 'test']);

      expect(ran.result, ran.stderr).toMatchObject({
        outcome: 'failed',
        compensation: 'done',
        failure: { code: 'FactsDiffer', hint: expect.stringMatching(/./) as string },
        releases: [{ facts: { equal: false }, upgrade: { writeGapMs: null } }],
      });
      expect(ran.exitCode).toBe(1);
      expect(await state()).toEqual(before);
    } finally {
      await psql('DROP TABLE versions; DROP FUNCTION told()');
    }
  });

  it('lets clients in again where the API server refuses the cutover', async () => {
    const before = await state();
    await ground.kubectl(['apply', '-f', '-'], refusal);
    const tried = ['annotate', 'service', 'postgresql', '-n', namespace, 'lifeboat.dev/cutover=x', '--dry-run=server'];
    await expect
      .poll(() => ground.kubectl(tried).then(String, String), { timeout: 30_000 * slowness })
      .toMatch(/not today/);
    try {
      const ran = await ground.run([...upgrade, '--yes', '--by', 'test', '--reason', 'test']);

      expect(ran.result, ran.stderr).toMatchObject({
        outcome: 'failed',
        compensation: 'done',
        failure: { code: 'CutoverRefused', message: expect.stringMatching(/not today/) as string },
      });
      expect(ran.result.failure?.hint).toMatch(/still lead to the version from before/);
      expect(ran.exitCode).toBe(1);
    } finally {
      await ground.kubectl(['delete', '-f', '-'], refusal);
    }
    expect(await state()).toEqual(before);
  });

  it('resumes where it was when its worker is killed at five points, and loses no row', async () => {
    const writer = await startWriter(ground.sandbox, release);
    const workflowId = await startUpgrade();
    for (const phase of ['installing green', 'rehearsing the move', 'moving', 'soaking', 'promoting']) {
      await untilPhase(ground, workflowId, phase);
      await worker.stop('SIGKILL');
      worker = await ground.startWorker();
    }
    const ended = await ground.run(['watch', workflowId]);
    const { acknowledged } = await writer.stop();

    expect(ended.result.outcome, `${ended.stderr}\n${JSON.stringify(ended.result.failure)}`).toBe('complete');
    expect(ended.result.releases[0]?.facts.equal).toBe(true);
    await expectEachRow(ground, release, acknowledged);
    expect(await clusterState(ground)).not.toContainEqual(expect.stringMatching(/postgresql-green|annotation/));
  });

  async function startUpgrade(): Promise<string> {
    const started = await ground.run([...upgrade, '--no-wait']);
    expect(started.exitCode, started.stderr).toBe(0);
    await approveWhenAsked(ground, started.result.workflowId);
    return started.result.workflowId;
  }

  async function untilClaimed(): Promise<void> {
    const claim = ['get', 'pvc', 'data-postgresql-green-0', '-n', namespace, '--ignore-not-found', '-o', 'name'];
    await expect.poll(() => ground.kubectl(claim), { timeout: 120_000 * slowness, interval: 300 }).not.toBe('');
  }

  async function state(): Promise<string[]> {
    const volume = ['get', 'pvc', 'data-postgresql-0', '-n', namespace, '-o', 'jsonpath={.spec.volumeName}'];
    return [...(await clusterState(ground)), ...(await postgresState(ground)), await ground.kubectl(volume)];
  }

  async function psql(sql: string): Promise<void> {
    const command = ['psql', '-XAtq', '-U', 'postgres', '-d', 'shop', '-c', sql];
    await ground.kubectl(['exec', '-n', namespace, 'postgresql-0', '-c', 'postgresql', '--', ...command]);
  }
});
