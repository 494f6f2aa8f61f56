import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../activities/open-store.ts';
import { type FaultProxy, startFaultProxy } from '../conformance/fault-proxy.ts';
import { clusterState, postgresState } from './as-it-was.ts';
import { cancelRun } from './cancel-run.ts';
import { type Ground, openGround, openSandbox, type Ran } from './ground.ts';

describe('a cancelled run', () => {
  let ground: Ground;
  let proxy: FaultProxy;
  /** Objects that are read late: what reads them is then seen by a test, however quick the machine is. */
  let late: RegExp | undefined;

  beforeAll(async () => {
    const { s3 } = await openSandbox();
    proxy = await startFaultProxy(s3.endpoint, (line) =>
      late?.test(line) === true ? { kind: 'delay', ms: 3_000 } : undefined,
    );
    const bucket = `e2e-cancelled-${String(Date.now())}`;
    ground = await openGround('cancelled', {
      bucket,
      overrides: { store: { url: `s3://${bucket}/dr`, endpoint: proxy.endpoint, region: s3.region } },
    });
    await ground.startWorker();
    expect((await ground.run(['backup', ground.names.postgresql])).exitCode).toBe(0);
  });

  afterEach(() => {
    late = undefined;
  });

  afterAll(async () => {
    await ground.close();
    await proxy.stop();
  });

  async function storedKeys(): Promise<string[]> {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = ground.setting.env;
    const store = await openStore(ground.setting.kit.store, { accessKeyId, secretAccessKey });
    expect(await store.listOpenUploads('')).toEqual([]);
    const keys: string[] = [];
    for await (const { key } of store.list('points/')) keys.push(key);
    return keys;
  }

  async function cancelAt(args: readonly string[], activity: string, approve: boolean): Promise<Ran> {
    const before = { cluster: await clusterState(ground), data: await postgresState(ground) };
    const ended = await cancelRun(ground, args, { activity, approve });
    expect(await clusterState(ground)).toEqual(before.cluster);
    expect(await postgresState(ground)).toEqual(before.data);
    return ended;
  }

  it.each(['captureComponent', 'verifyCapture'])(
    'leaves nothing of a backup that is cancelled in %s',
    async (activity) => {
      const before = await storedKeys();
      if (activity === 'verifyCapture') late = /^GET .*databases\.database-shop.*\.zst\.age/;
      await cancelAt(['backup', ground.names.postgresql], activity, false);
      expect(await storedKeys()).toEqual(before);
    },
  );

  it.each(['raiseFence', 'restoreComponent', 'compareComponent'])(
    'puts back what a recovery did that is cancelled in %s',
    async (activity) => {
      const args = ['recover', ground.names.postgresql, '--data', '--on-failure', 'abort'];
      const { result } = await cancelAt(args, activity, true);
      expect(result).toMatchObject({ compensation: 'done', releases: [{ outcome: 'cancelled' }] });
      const listed = await ground.run(['unlock']);
      const locks = JSON.parse(listed.stdout) as { release: string }[];
      expect(locks.filter(({ release }) => release.includes(`/${ground.namespace}/`))).toEqual([]);
    },
  );
});
