import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { openSandbox } from '../e2e/ground.ts';
import { approved, expectAsItWas, expectFailedRun, expectFailure } from './expect-failure.ts';
import { type FaultsGround, openFaultsGround } from './faults-ground.ts';
import { makeSmallDisk, type SmallDisk } from './small-disk.ts';

const namespace = 'faults-disk';

describe('a full disk in the pod', () => {
  let disk: SmallDisk;
  let ground: FaultsGround;

  beforeAll(async () => {
    const sandbox = await openSandbox();
    await deleteNamespaces(sandbox, [namespace]);
    disk = await makeSmallDisk(sandbox);
    const { storageClass, size } = disk;
    ground = await openFaultsGround('disk', {
      releases: [{ chart: 'redis', namespace, name: 'redis', values: { persistence: { storageClass, size } } }],
    });
    expect((await ground.run(['backup', ground.names.redis])).exitCode).toBe(0);
  });

  afterEach(async () => {
    await disk.empty();
  });

  afterAll(async () => {
    await ground.close();
    await disk.remove();
  });

  it('fails a recovery that needs it, and the live data stays: DiskFull', async () => {
    await ground.redis(['SET', 'page:7', 'newer than the point']);
    // nothing is left to save, so that the server does not try while the disk is full
    await ground.redis(['SAVE']);
    const before = await ground.state();
    await disk.fill(64 * 1_024);

    await expectFailedRun(ground, ['recover', ground.names.redis, '--data', ...approved], {
      outcome: 'failed',
      code: 'DiskFull',
      message: /No space left on device/,
      compensation: 'done',
    });

    const after = await ground.state();
    await expectAsItWas(ground, { ...before, store: after.store });
  });

  it('fails a backup of a server that writes its snapshot there first: DiskFull', async () => {
    await ground.redis(['CONFIG', 'SET', 'repl-diskless-sync', 'no']);
    await disk.fill(64 * 1_024);

    await expectFailure(ground, ['backup', ground.names.redis], {
      outcome: 'failed',
      code: 'DiskFull',
      message: /cannot write its snapshot to \/data, where [0-9]+ KiB are free/,
      compensation: 'done',
    });
  });
});
