import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { deleteClaim, keepVolume, readClaim, reclaimPolicy } from '../../activities/clients/claims.ts';
import { openKubernetes } from '../../activities/clients/kubernetes.ts';
import { fenceService, stopWorkload, waitUntilStopped } from '../../activities/clients/marks.ts';
import { StoredObject, strip } from '../../activities/facts/configuration.ts';
import type { Leftover } from '../../activities/repair.ts';
import { marks } from '../../model/run-names.ts';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import { slowness } from '../slowness.ts';
import { approved, expectFailedRun } from './expect-failure.ts';
import { type FaultsGround, openFaultsGround } from './faults-ground.ts';

const namespace = 'faults-left-data';
const newer = 'newer than the point';
const claimName = 'data-redis-0';

describe('a recovery of a release whose volumes outlived it', () => {
  let ground: FaultsGround;
  let kept = { volume: '', path: '' };

  beforeAll(async () => {
    ground = await openFaultsGround('left', { releases: [{ chart: 'redis', namespace, name: 'redis' }] });
    await ground.redis(['SET', 'page:7', 'as in the point']);
    expect((await ground.run(['backup', ground.names.redis])).exitCode).toBe(0);
    await ground.redis(['SET', 'page:7', newer]);
    await promisify(execFile)(ground.sandbox.tools.helm, [
      ...['uninstall', 'redis', '-n', namespace],
      ...helmClusterArgs(ground.sandbox),
    ]);
    // Redis writes its file when it ends: its pod has to be gone.
    await ground.kubectl(['wait', 'pod/redis-0', '-n', namespace, '--for=delete', '--timeout=120s']);
    const { volume = '' } = await claim();
    const { spec } = await volumeOf(volume);
    kept = { volume, path: spec.hostPath?.path ?? spec.local?.path ?? '' };
    expect(await holds(kept.path, newer)).toBe(true);
  });

  afterEach(async () => {
    await ground.inject('none');
  });

  afterAll(async () => {
    // The namespace goes first: its claim holds the volume.
    await ground.close();
    if (kept.volume !== '') await ground.kubectl(['delete', 'persistentvolume', kept.volume, '--ignore-not-found']);
  });

  async function claim(): Promise<{ name: string; volume: string | undefined }> {
    const { items } = JSON.parse(await ground.kubectl(['get', 'pvc', '-n', namespace, '-o', 'json'])) as {
      items: { metadata: { name: string }; spec: { volumeName?: string } }[];
    };
    expect(items).toHaveLength(1);
    return { name: items[0]?.metadata.name ?? '', volume: items[0]?.spec.volumeName };
  }

  async function volumeOf(name: string) {
    return JSON.parse(await ground.kubectl(['get', 'pv', name, '-o', 'json'])) as {
      metadata: { annotations?: Record<string, string> };
      spec: { persistentVolumeReclaimPolicy: string; hostPath?: { path: string }; local?: { path: string } };
      status: { phase: string };
    };
  }

  /** Whether a text is in the files of a volume. */
  async function holds(path: string, text: string): Promise<boolean> {
    return await promisify(execFile)('grep', ['-rqa', text, path]).then(
      () => true,
      () => false,
    );
  }

  const secret = ['secret', 'redis-credentials', '-n', namespace];

  it('has them again as they were when the facts differ, and the Secrets that stood', async () => {
    const before = await volumeOf(kept.volume);
    // A key that somebody added after the point: of a Secret that no release owns, and that outlived this one.
    await ground.kubectl(['patch', ...secret, '--type', 'merge', '-p', '{"data":{"later":"bGF0ZXI="}}']);
    const stood = await ground.kubectl(['get', ...secret, '-o', 'jsonpath={.data}']);
    const plan = await ground.run(['recover', ground.names.redis, '--dry-run']);
    expect(plan.result.plan?.overwrites).toContain(
      `Secret ${namespace}/redis-credentials, which is not as in the point`,
    );
    await ground.inject('key lost after the restore');

    await expectFailedRun(ground, ['recover', ground.names.redis, ...approved], {
      outcome: 'failed',
      code: 'FactsDiffer',
      message: /1 of [0-9]+ facts differ/,
      compensation: 'done',
    });

    expect((await claim()).volume).toBe(kept.volume);
    const after = await volumeOf(kept.volume);
    expect(after.status.phase).toBe('Bound');
    expect(after.spec.persistentVolumeReclaimPolicy).toBe(before.spec.persistentVolumeReclaimPolicy);
    expect(after.metadata.annotations?.[marks.kept]).toBeUndefined();
    expect(await holds(kept.path, newer)).toBe(true);
    expect(await ground.kubectl(['get', ...secret, '-o', 'jsonpath={.data}'])).toBe(stood);
  });

  it('gets new ones, and the old ones are kept with what they hold', async () => {
    const plan = await ground.run(['recover', ground.names.redis, '--dry-run']);
    const { name } = await claim();
    expect(plan.result.plan?.lines).toContain(`set the volume of claim ${name} aside: it stays as the safety copy`);

    const ran = await ground.run(['recover', ground.names.redis, ...approved]);

    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(ran.result.releases[0]?.facts.equal).toBe(true);
    expect(ran.result.releases[0]?.notes.join('\n')).toContain(`volume ${kept.volume} is kept`);
    expect((await claim()).volume).not.toBe(kept.volume);
    expect(await ground.redis(['GET', 'page:7'])).toBe('as in the point');
    const old = await volumeOf(kept.volume);
    expect(old.status.phase).toBe('Released');
    expect(old.spec.persistentVolumeReclaimPolicy).toBe('Retain');
    expect(old.metadata.annotations?.[marks.kept]).toBe(ran.result.runId);
    expect(await holds(kept.path, newer)).toBe(true);
    expect(await ground.kubectl(['get', ...secret, '-o', 'jsonpath={.data}'])).not.toContain('later');
  });

  describe('where a run that is gone was cut off between two volumes', () => {
    const run = '00000000-0000-4000-8000-00000000dead'; // its run id, of no run that Temporal knows
    const past = { run, deadline: new Date(Date.now() - 1_000).toISOString() };

    async function cutOff(): Promise<string> {
      const { kubeconfig, context } = ground.sandbox;
      const kubernetes = openKubernetes({ kubeconfig, context });
      const { name, volume = '' } = await claim();
      const raw = JSON.parse(await ground.kubectl(['get', 'pvc', name, '-n', namespace, '-o', 'json'])) as unknown;
      const selector = { 'app.kubernetes.io/instance': 'redis' };
      await fenceService(kubernetes, namespace, 'redis', past);
      const workload = {
        ...{ kind: 'StatefulSet' as const, namespace, name: 'redis', container: 'redis', image: '', replicas: 1 },
        ...{ selector, claims: [], uid: null, gid: null },
      };
      await stopWorkload(kubernetes, workload, past);
      await waitUntilStopped(kubernetes, workload, () => undefined);
      const kept = { by: run, until: past.deadline, policy: await reclaimPolicy(kubernetes, volume) };
      await keepVolume(kubernetes, volume, { ...kept, claim: strip(StoredObject.parse(raw)) });
      const { uid = '' } = (await readClaim(kubernetes, { namespace, name })) ?? {};
      await deleteClaim(kubernetes, { namespace, name }, uid, () => undefined);
      return volume;
    }

    async function repair(): Promise<{ exitCode: number | undefined; found: Leftover[] }> {
      const { exitCode, stdout } = await ground.run(['repair', '--run', run]);
      return { exitCode, found: JSON.parse(stdout) as Leftover[] };
    }

    it('gives the volume back before it lets clients in', async () => {
      await ground.redis(['SET', 'page:8', 'written last']);
      const volume = await cutOff();

      const { exitCode, found } = await repair();

      expect(found.map(({ what, undone }) => [what, undone])).toEqual([
        ['volume set aside', true],
        ['fence', true],
        ['scaled', true],
      ]);
      expect(exitCode).toBe(0);
      expect((await claim()).volume).toBe(volume);
      await ground.kubectl(['rollout', 'status', 'statefulset/redis', '-n', namespace, '--timeout=90s']);
      expect(await ground.redis(['GET', 'page:8'])).toBe('written last');
      expect((await volumeOf(volume)).metadata.annotations?.[marks.kept]).toBeUndefined();
    });

    it('leaves all as it is where the claim has another volume by now', async () => {
      const volume = await cutOff();
      const { items } = JSON.parse(await ground.kubectl(['get', 'statefulset', '-n', namespace, '-o', 'json'])) as {
        items: { spec: { volumeClaimTemplates: { spec: object }[] } }[];
      };
      const name = claimName;
      const other = {
        ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace } },
        spec: items[0]?.spec.volumeClaimTemplates[0]?.spec,
      };
      await ground.kubectl(['apply', '-f', '-'], JSON.stringify(other));

      const { exitCode, found } = await repair();

      expect(exitCode).toBe(1);
      expect(found.map(({ what, undone }) => [what, undone])).toEqual([
        ['volume set aside', false],
        ['fence', false],
        ['scaled', false],
      ]);
      expect(found[0]?.problem).toMatch(/claim faults-left-data\/data-redis-0 has the volume .* by now/);
      expect(found[1]?.problem).toMatch(/left as it is/);
      await ground.kubectl(['delete', 'pvc', name, '-n', namespace, '--wait']);

      expect((await repair()).exitCode).toBe(0);
      expect((await claim()).volume).toBe(volume);
      await ground.kubectl(['rollout', 'status', 'statefulset/redis', '-n', namespace, '--timeout=90s']);
      expect(await ground.redis(['GET', 'page:8'])).toBe('written last');
    });
  });

  it('keeps the old ones until their time has passed and somebody removes what is due', async () => {
    const copies = async (more: readonly string[] = []): Promise<Copies> => {
      const { exitCode, stdout, stderr } = await ground.run(['copies', ...more]);
      expect(exitCode, stderr).toBe(0);
      return JSON.parse(stdout) as Copies;
    };
    const volume = { what: 'volume', name: kept.volume };
    const [before] = (await copies(['--remove'])).copies;
    expect(before).toMatchObject({ ...volume, of: `${namespace}/data-redis-0`, due: false, removed: false });
    const days = (Date.parse(before?.until ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThan(7);
    expect(await holds(kept.path, newer)).toBe(true);

    const past = `${marks.keptUntil}=${new Date(Date.now() - 1_000).toISOString()}`;
    await ground.kubectl(['annotate', 'persistentvolume', kept.volume, '--overwrite', past]);
    expect((await copies()).copies).toMatchObject([{ ...volume, due: true, removed: false }]);
    expect((await copies(['--remove'])).copies).toMatchObject([{ ...volume, due: true, removed: true }]);

    await expect.poll(() => holds(kept.path, newer), { timeout: 60_000 * slowness }).toBe(false);
    expect((await copies()).copies).toEqual([]);
  });
});

type Copies = {
  copies: { what: string; name: string; of: string; until: string | null; due: boolean; removed: boolean }[];
};
