import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterState, postgresState } from '../e2e/as-it-was.ts';
import { type Ground, openGround } from '../e2e/ground.ts';
import { type OwnTemporal, startOwnTemporal } from '../e2e/own-temporal.ts';
import { approveWhenAsked, temporalClient, waitForActivity } from '../e2e/temporal-client.ts';

describe('lifeboat repair', () => {
  let ground: Ground;
  let temporal: OwnTemporal;

  beforeAll(async () => {
    temporal = await startOwnTemporal();
    ground = await openGround('repaired', { temporalNamespace: 'default', temporal });
    await ground.startWorker();
    expect((await ground.run(['backup', ground.names.postgresql])).exitCode).toBe(0);
  });

  afterAll(async () => {
    await temporal.start();
    await ground.close();
    await temporal.close();
  });

  it('lifts the fence of a run whose worker and Temporal are gone for good', async () => {
    const before = { cluster: await clusterState(ground), data: await postgresState(ground) };
    const worker = await ground.startWorker();
    const started = await ground.run([
      'recover',
      ground.names.postgresql,
      '--data',
      '--on-failure',
      'abort',
      '--no-wait',
    ]);
    const client = await temporalClient(ground);
    await approveWhenAsked(ground, started.result.workflowId);
    await waitForActivity(client, started.result.workflowId, 'restoreComponent');
    await worker.stop('SIGKILL');
    await client.connection.close();
    await temporal.stop();
    expect(await clusterState(ground)).not.toEqual(before.cluster);

    // Without Temporal nobody can say that the run is over: what has time left is shown and kept.
    const kept = await ground.run(['repair']);
    expect(kept.exitCode).toBe(1);
    expect(kept.stderr).toContain('lifeboat repair --all');
    const repaired = await ground.run(['repair', '--all']);

    expect(repaired.exitCode, repaired.stderr).toBe(0);
    const found = JSON.parse(repaired.stdout) as { what: string; undone: boolean }[];
    expect(found.map((each) => each.what)).toContain('fence');
    expect(found.every((each) => each.undone)).toBe(true);
    expect(
      (await clusterState(ground)).filter((line) => line.includes('lifeboat.dev/') || line.includes('fenced-by')),
    ).toEqual([]);
    expect(await clusterState(ground)).toEqual(before.cluster);

    await temporal.start({ fresh: true });
    const unlocked = await ground.run([
      'unlock',
      ground.names.postgresql,
      '--by',
      'test',
      '--reason',
      'its Temporal is gone',
    ]);
    expect(unlocked.exitCode, unlocked.stderr).toBe(0);
    await ground.startWorker();
    const again = await ground.run([
      'recover',
      ground.names.postgresql,
      '--data',
      '--on-failure',
      'abort',
      '--yes',
      '--by',
      'test',
      '--reason',
      'test',
    ]);
    expect(again.result.outcome, again.stderr).toBe('complete');
    const data = await postgresState(ground);
    expect(data.at(-1)).toBe(before.data.at(-1));
    expect(data.filter((line) => line.startsWith('lifeboat_'))).toEqual([]);
  });
});
