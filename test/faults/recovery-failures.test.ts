import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openKubernetes } from '../../activities/clients/kubernetes.ts';
import { releaseLock, takeLock } from '../../activities/clients/leases.ts';
import { lifeboat } from '../../demo/command.ts';
import { clusterName } from '../../demo/setting.ts';
import { RecoveryKit } from '../../model/recovery-kit.ts';
import { approved, expectFailedRun, expectFailure } from './expect-failure.ts';
import { type FaultName, type FaultsGround, openFaultsGround } from './faults-ground.ts';

describe('a recovery that fails', () => {
  let ground: FaultsGround;

  beforeAll(async () => {
    ground = await openFaultsGround('recovery');
    await ground.redis(['SET', 'page:7', 'as in the point']);
    for (const release of [ground.names.postgresql, ground.names.redis])
      expect((await ground.run(['backup', release])).exitCode).toBe(0);
  });

  afterEach(async () => {
    await ground.inject('none');
  });

  afterAll(async () => {
    await ground.close();
  });

  it.each<{ fault: FaultName; code: 'FactsDiffer' | 'RestoreFailed'; message: RegExp }>([
    {
      fault: 'row lost after the restore',
      code: 'FactsDiffer',
      message: /compare database shop: 2 of [0-9]+ facts differ: /,
    },
    { fault: 'restore cut cleanly', code: 'RestoreFailed', message: /pg_restore in postgresql-0: exit 1, / },
  ])('puts PostgreSQL back, with a $fault: $code', async ({ fault, code, message }) => {
    await ground.inject(fault);

    await expectRecoveryPutBack(ground.names.postgresql, code, message);
  });

  it('puts Redis back, with a key lost after the restore: FactsDiffer', async () => {
    await ground.redis(['SET', 'page:7', 'newer than the point']);
    await ground.inject('key lost after the restore');

    await expectRecoveryPutBack(ground.names.redis, 'FactsDiffer', /1 of [0-9]+ facts differ/);
  });

  it('puts back the Secrets that it replaced, from the safety copy', async () => {
    await ground.useWorker();
    await ground.redis(['SET', 'page:7', 'newer than the point']);
    const secret = ['secret', 'redis-credentials', '-n', ground.namespace];
    await ground.kubectl(['patch', ...secret, '--type=merge', '-p', JSON.stringify({ stringData: { later: 'yes' } })]);
    const dataOf = async (): Promise<unknown> =>
      (JSON.parse(await ground.kubectl(['get', ...secret, '-o', 'json'])) as { data: unknown }).data;
    const before = await dataOf();
    await ground.inject('key lost after the restore');

    await expectFailedRun(ground, ['recover', ground.names.redis, ...approved], {
      outcome: 'failed',
      code: 'FactsDiffer',
      message: /1 of [0-9]+ facts differ/,
      compensation: 'done',
    });

    expect(await dataOf()).toEqual(before);
    expect(await ground.redis(['GET', 'page:7'])).toBe('newer than the point');
  });

  it('says what it left behind, where Redis cannot be put back', async () => {
    await ground.useWorker();
    await ground.inject('key lost after every restore');

    const { result } = await expectFailedRun(ground, ['recover', ground.names.redis, '--data', ...approved], {
      outcome: 'failed',
      code: 'FactsDiffer',
      message: /1 of [0-9]+ facts differ/,
      compensation: 'incomplete',
    });

    expect(result.releases[0]?.leftBehind).toEqual([
      expect.stringMatching(
        /^put back data of faults-recovery-data\/redis: compare .* with its safety copy [^ ]+: 1 of [0-9]+ facts differ/,
      ),
    ]);
    await ground.redis(['SET', 'page:7', 'newer than the point']);
  });

  /** The safety copy that a recovery takes is a point like any other, and stays. */
  async function expectRecoveryPutBack(
    release: string,
    code: 'FactsDiffer' | 'RestoreFailed',
    message: RegExp,
  ): Promise<void> {
    await ground.useWorker();
    const before = await ground.state();
    const { result } = await expectFailedRun(ground, ['recover', release, '--data', ...approved], {
      outcome: 'failed',
      code,
      message,
      compensation: 'done',
    });
    expect(result.releases[0]?.facts.equal).not.toBe(true);
    const after = await ground.state();
    expect({ ...after, store: [] }).toEqual({ ...before, store: [] });
    expect(after.store).toEqual(expect.arrayContaining(before.store));
    expect(after.store.filter((key) => !before.store.includes(key) && key.startsWith('manifests/'))).toHaveLength(1);
  }

  it.each([
    { what: 'all that it made', isShared: false },
    { what: 'all but the namespace, into which another run brings a release meanwhile', isShared: true },
  ])('takes away $what, with a pod that is never ready: PodNeverReady', async ({ isShared }) => {
    const into = 'faults-scratch';
    const kubernetes = openKubernetes({ kubeconfig: ground.sandbox.kubeconfig, context: ground.sandbox.context });
    const other = `${clusterName}/${into}/other`;
    const holder = { temporalAddress: 'of-the-test', workflowId: 'of-the-test', runId: 'of-the-test' };
    // A run that was killed may have left it, and a namespace that was there before is not taken away.
    await ground.kubectl(['delete', 'namespace', into, '--ignore-not-found', '--wait']);
    const nodes = JSON.parse(await ground.kubectl(['get', 'nodes', '-o', 'json'])) as {
      items: { metadata: { name: string } }[];
    };
    const names = nodes.items.map((node) => node.metadata.name);
    await ground.useWorker({ LIFEBOAT_READY_WITHIN_MS: '8000' });
    await ground.kubectl(['cordon', ...names]);
    if (isShared) await takeLock(kubernetes, other, holder, () => Promise.resolve(true));
    try {
      await expectFailure(ground, ['recover', ground.names.redis, '--into', into, ...approved], {
        outcome: 'failed',
        code: 'PodNeverReady',
        message: new RegExp(`wait for StatefulSet ${into}/redis: not ready after 8 s: .*unschedulable`),
        compensation: 'done',
      });
    } finally {
      await ground.kubectl(['uncordon', ...names]);
      await releaseLock(kubernetes, other, holder.runId);
    }
    const left = JSON.parse(await ground.kubectl(['get', 'namespaces', '-o', 'json'])) as {
      items: { metadata: { name: string }; status: { phase: string } }[];
    };
    expect(
      left.items.filter(({ metadata, status }) => metadata.name === into && status.phase !== 'Terminating'),
    ).toHaveLength(isShared ? 1 : 0);
    if (!isShared) return;
    const objects = ['get', 'all,secrets,persistentvolumeclaims', '-n', into, '-o', 'name'];
    expect(await ground.kubectl(objects)).toBe('');
    await ground.kubectl(['delete', 'namespace', into, '--wait=false']);
  });

  it('is refused, with a kit whose identity opens nothing: KeyMissing', async () => {
    const identity = await generateX25519Identity();
    const kit = {
      ...ground.setting.kit,
      identity,
      recipients: [await identityToRecipient(identity), ...ground.setting.kit.recipients],
    };
    await expectRefusedWith(kit, { code: 'KeyMissing', message: /the identity given is none of its recipients/ });
  });

  it('is refused, with the kit of another platform: SignerUnknown', async () => {
    const path = join(ground.setting.directory, 'other-kit.json');
    const made = await lifeboat(ground.setting, [
      '--key',
      path,
      'keys',
      'create',
      '--platform',
      'other',
      '--store',
      ground.setting.storeUrl,
    ]);
    expect(made.exitCode, made.stderr).toBe(0);
    await expectRefusedWith(RecoveryKit.parse(JSON.parse(await readFile(path, 'utf8'))), {
      code: 'SignerUnknown',
      message: /signed by the unknown key SHA256:/,
    });
  });

  async function expectRefusedWith(
    kit: RecoveryKit,
    expected: { code: 'KeyMissing' | 'SignerUnknown'; message: RegExp },
  ): Promise<void> {
    const path = join(ground.setting.directory, `${expected.code}-kit.json`);
    await writeFile(path, JSON.stringify(kit), { mode: 0o600 });
    const env = { LIFEBOAT_KEY: path };
    await ground.useWorker(env);
    await expectFailure(ground, ['recover', ground.names.postgresql, '--data', ...approved], {
      outcome: 'refused',
      ...expected,
      compensation: 'none',
      env,
    });
  }

  it('does not begin without a kit: the worker says KeyMissing', async () => {
    await expect(ground.useWorker({ LIFEBOAT_KEY: join(ground.setting.directory, 'no-kit.json') })).rejects.toThrow(
      /KeyMissing: read recovery kit .*no-kit\.json: there is no such file/,
    );
  });
});
