import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { marks } from '../../model/run-names.ts';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import { approved, expectFailedRun } from './expect-failure.ts';
import { type FaultsGround, openFaultsGround } from './faults-ground.ts';

const namespace = 'faults-left-data';
const newer = 'newer than the point';

describe('a recovery of a release whose volumes outlived it', () => {
  let ground: FaultsGround;
  let kept: { volume: string; path: string };

  beforeAll(async () => {
    ground = await openFaultsGround('left', { releases: [{ chart: 'redis', namespace, name: 'redis' }] });
    await ground.redis(['SET', 'page:7', 'as in the point']);
    expect((await ground.run(['backup', ground.names.redis])).exitCode).toBe(0);
    await ground.redis(['SET', 'page:7', newer]);
    await promisify(execFile)(ground.sandbox.tools.helm, [
      ...['uninstall', 'redis', '-n', namespace, '--wait'],
      ...helmClusterArgs(ground.sandbox),
    ]);
    const { volume = '' } = await claim();
    const { spec } = await volumeOf(volume);
    kept = { volume, path: spec.hostPath?.path ?? spec.local?.path ?? '' };
    expect(await holds(kept.path, newer)).toBe(true);
  });

  afterEach(async () => {
    await ground.inject('none');
  });

  afterAll(async () => {
    await ground.kubectl(['delete', 'persistentvolume', kept.volume, '--ignore-not-found']);
    await ground.close();
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

  it('has them again as they were when the facts differ', async () => {
    const before = await volumeOf(kept.volume);
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
  });
});
