import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterState, postgresState } from '../e2e/as-it-was.ts';
import { type Ground, openGround } from '../e2e/ground.ts';
import { type OwnTemporal, startOwnTemporal } from '../e2e/own-temporal.ts';
import { approveWhenAsked, temporalClient, waitForActivity } from '../e2e/temporal-client.ts';
import { slowness } from '../slowness.ts';

/** How long a killed step may stay unnoticed: its heartbeat timeout. */
const heartbeatTimeoutMs = 20_000;

describe('a recovery whose worker is killed', () => {
  let temporal: OwnTemporal;
  let ground: Ground;

  beforeAll(async () => {
    temporal = await startOwnTemporal();
    ground = await openGround('killed', { temporal });
    await ground.startWorker();
    expect((await ground.run(['backup', ground.names.postgresql])).exitCode).toBe(0);
  });

  afterAll(async () => {
    await temporal.start();
    await ground.close();
    await temporal.close();
  });

  const points = [
    { activity: 'verifyPoint', temporalToo: false },
    { activity: 'raiseFence', temporalToo: false },
    { activity: 'restoreComponent', temporalToo: true },
    { activity: 'compareComponent', temporalToo: false },
    { activity: 'runChecks', temporalToo: false },
  ];

  it.each(points)('resumes at $activity (Temporal restarted: $temporalToo)', async ({ activity, temporalToo }) => {
    const before = { cluster: await clusterState(ground), data: await postgresState(ground) };
    let worker = await ground.startWorker();
    const started = await ground.run([
      'recover',
      ground.names.postgresql,
      '--data',
      '--on-failure',
      'abort',
      '--no-wait',
    ]);
    const { workflowId } = started.result;
    const client = await temporalClient(ground);
    await approveWhenAsked(ground, workflowId);
    await waitForActivity(client, workflowId, activity);
    await worker.stop('SIGKILL');
    const killedAt = Date.now();
    if (temporalToo) {
      await temporal.stop();
      await temporal.start();
    }
    worker = await ground.startWorker();
    const ended = await ground.run(['watch', workflowId]);

    expect(ended.result.outcome, ended.stderr).toBe('complete');
    expect(ended.exitCode).toBe(0);
    expect(ended.result.releases[0]?.facts.equal).toBe(true);
    // The step itself goes on within the heartbeat timeout + 30 s; what comes after it is the recovery's own time.
    expect(Date.now() - killedAt).toBeLessThan(heartbeatTimeoutMs + 30_000 + 120_000 * slowness);
    expect(await clusterState(ground)).toEqual(before.cluster);
    const data = await postgresState(ground);
    expect(data.filter((line) => line.startsWith('lifeboat_'))).toEqual([]);
    expect(data.at(-1)).toBe(before.data.at(-1));
    await client.connection.close();
  });
});
