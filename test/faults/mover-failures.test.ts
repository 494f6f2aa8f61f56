import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { WorkerProcess } from '../../demo/command.ts';
import type { Manifest } from '../../model/recovery-point.ts';
import { clusterState } from '../e2e/as-it-was.ts';
import type { Ground, Ran } from '../e2e/ground.ts';
import { MoverGround } from '../e2e/mover-ground.ts';
import { temporalClient, waitForActivity } from '../e2e/temporal-client.ts';

describe('a mover', () => {
  let movers: MoverGround;
  let ground: Ground;
  let worker: WorkerProcess;
  let wordpress: string;

  beforeAll(async () => {
    movers = await MoverGround.open('mover-failures');
    ({ ground, wordpress } = movers);
    worker = await ground.startWorker();
    // What a mover is chosen for is the size of the point before.
    const first = await ground.run(['backup', wordpress]);
    expect(first.result.outcome, first.stderr).toBe('complete');
  });

  afterEach(() => {
    movers.fault = undefined;
  });

  afterAll(() => movers.close());

  it('says what its store refuses, and leaves nothing', async () => {
    const before = await movers.storedKeys();
    await ground.startWorker({ LIFEBOAT_MOVER_ACCESS_KEY_ID: 'nobody', LIFEBOAT_MOVER_SECRET_ACCESS_KEY: 'nothing' });

    const ran = await ground.run(['backup', wordpress]);

    expect(ran.result.outcome).toBe('failed');
    expect(ran.result.releases[0]?.failure).toMatchObject({ code: 'StoreDenied' });
    expect(ran.exitCode).toBe(1);
    expect(await movers.leftovers()).toEqual([]);
    expect(await movers.storedKeys()).toEqual(before);
    worker = await ground.startWorker();
  });

  it('whose image has none names it, and what became of it', async () => {
    const before = await movers.storedKeys();
    const image = await imageOf('mysql-0');
    const putBack = await useImage(image);

    const ran = await ground.run(['backup', wordpress]);

    expect(ran.result.outcome).toBe('failed');
    expect(ran.result.releases[0]?.failure).toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringMatching(
        /the image \S+ has none; it ended without a report \(.*, exit 12[78]\): .*mover/,
      ) as string,
    });
    expect(ran.result.releases[0]?.failure?.message).toContain(image.replace(/^docker\.io\/(library\/)?/, ''));
    expect(await movers.leftovers()).toEqual([]);
    expect(await movers.storedKeys()).toEqual(before);
    await putBack();
  });

  it('whose image is not to be had can be cancelled while it waits', async () => {
    const putBack = await useImage('lifeboat.local/nothing:1');

    const started = await ground.run(['backup', wordpress, '--no-wait']);
    await movers.untilMover('Pending');
    await ground.run(['cancel', started.result.workflowId]);
    const ended = await ground.run(['watch', started.result.workflowId]);

    expect(ended.result.outcome).toBe('cancelled');
    expect(await movers.leftovers()).toEqual([]);
    await putBack();
  });

  it('is quiet soon after a cancel, with nothing left', async () => {
    const before = { cluster: await clusterState(ground), keys: await movers.storedKeys() };
    movers.fault = (line) => (/^PUT .*files\.tar/.test(line) ? { kind: 'delay', ms: 20_000 } : undefined);
    const started = await ground.run(['backup', wordpress, '--no-wait']);
    await movers.untilMover('Running');
    const since = Date.now();
    await ground.run(['cancel', started.result.workflowId]);

    const ended = await ground.run(['watch', started.result.workflowId]);

    expect(ended.result.outcome).toBe('cancelled');
    expect(Date.now() - since).toBeLessThan(60_000);
    expect(await movers.leftovers()).toEqual([]);
    expect(await movers.store.listOpenUploads('')).toEqual([]);
    expect(await movers.storedKeys()).toEqual(before.keys);
    expect(await clusterState(ground)).toEqual(before.cluster);
  });

  it('that is killed is followed by another one, and by one point', async () => {
    const before = await movers.newest(wordpress);
    movers.fault = (line) => (/^PUT .*files\.tar/.test(line) ? { kind: 'delay', ms: 4_000 } : undefined);
    const started = await ground.run(['backup', wordpress, '--no-wait']);
    const pod = await movers.untilMover('Running');
    await ground.kubectl(['delete', '-n', ground.namespace, pod, '--grace-period=0', '--force', '--wait=false']);
    movers.fault = undefined;

    const ended = await ground.run(['watch', started.result.workflowId]);

    expect(await strayOf(await expectOneMore(ended, before))).toEqual([]);
  });

  it('outlives no worker: the next one ends it and moves again', async () => {
    const before = await movers.newest(wordpress);
    movers.fault = (line) => (/^PUT .*files\.tar/.test(line) ? { kind: 'delay', ms: 20_000 } : undefined);
    const started = await ground.run(['backup', wordpress, '--no-wait']);
    await movers.untilMover('Running');
    const client = await temporalClient(ground);
    await waitForActivity(client, started.result.workflowId, 'captureComponent');
    await client.connection.close();
    await worker.stop('SIGKILL');
    worker = await ground.startWorker();
    movers.fault = undefined;

    const ended = await ground.run(['watch', started.result.workflowId]);

    // A mover that ended before the next worker looked has left whole objects: no damage, and garbage in a day.
    const after = await expectOneMore(ended, before);
    const check = await ground.run(['store', 'check']);
    expect(check.exitCode, check.stdout).toBe(0);
    for (const key of await strayOf(after)) expect(key).not.toContain('attempt-');
  });

  /** Gives movers another image; returns what gives them their own again. */
  async function useImage(image: string): Promise<() => Promise<void>> {
    const text = await readFile(ground.setting.configPath, 'utf8');
    const document = parse(text) as { mover: { image: string } };
    document.mover.image = image;
    await writeFile(ground.setting.configPath, stringify(document));
    worker = await ground.startWorker();
    return async () => {
      await writeFile(ground.setting.configPath, text);
      worker = await ground.startWorker();
    };
  }

  async function imageOf(pod: string): Promise<string> {
    return await ground.kubectl([
      'get',
      'pod',
      pod,
      '-n',
      ground.namespace,
      '-o',
      'jsonpath={.spec.containers[0].image}',
    ]);
  }

  async function expectOneMore(ended: Ran, before: Manifest): Promise<Manifest> {
    expect(ended.result.outcome, ended.stderr).toBe('complete');
    const after = await movers.newest(wordpress);
    expect(after.sequence).toBe(before.sequence + 1);
    expect(await movers.leftovers()).toEqual([]);
    expect(await movers.store.listOpenUploads('')).toEqual([]);
    return after;
  }

  /** Objects of the files that a point does not name, in its folder. */
  async function strayOf(after: Manifest): Promise<string[]> {
    const named = new Set(
      after.components.flatMap(({ artifacts, facts }) =>
        [...artifacts, facts].flatMap(({ segments }) => segments.map(({ key }) => key)),
      ),
    );
    const stored = (await movers.storedKeys()).filter((key) => key.includes(after.id) && /\/files\.tar/.test(key));
    return stored.filter((key) => !named.has(key));
  }
});
