import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installChart } from '../../activities/clients/helm.ts';
import { uninstallRelease } from '../../activities/clients/uninstall-release.ts';
import type { MethodContext } from '../../activities/methods/method.ts';
import {
  listReplacedSecrets,
  readRecord,
  releaseConfig,
  restoreObjects,
  restoreSecrets,
} from '../../activities/methods/release-config.ts';
import type { BoundPlan } from '../../model/bound-plan.ts';
import type { Facts } from '../../model/facts.ts';
import type { SandboxRelease } from '../../sandbox/platform/release.ts';
import { captureInMemory, type MemoryPoint, restoreContextOf } from './memory-point.ts';
import { findSandbox, type MethodGround, openMethodGround } from './method-ground.ts';

type Options = Parameters<typeof releaseConfig.capture>[0]['options'];

const namespace = 'conformance-config';
/** One whose Secret somebody made, and one whose Secret Helm makes, as charts do that make a password while they render. */
const releases: readonly SandboxRelease[] = [
  { chart: 'redis', namespace, name: 'redis' },
  { chart: 'redis', namespace, name: 'redis-own', values: { redis: { existingSecret: '', password: 'captured-one' } } },
];
const sandbox = await findSandbox();
if (sandbox === undefined)
  process.stderr.write(
    'SKIPPED: the conformance of release-config needs the sandbox (npm run sandbox -- up), which does not run\n',
  );

describe.skipIf(sandbox === undefined).each(releases)('release-config on a real release $name', (release) => {
  let ground: MethodGround;
  let bound: BoundPlan;
  let point: MemoryPoint;

  const context = (): MethodContext<Options> => ground.context(bound, 'config', 'x') as MethodContext<Options>;
  const restoring = () => restoreContextOf(context(), point);
  const secretName = release.name === 'redis' ? 'redis-credentials' : 'redis-own-secret';
  const password = async (): Promise<string> =>
    await ground.kubectl(['get', 'secret', secretName, '-n', namespace, '-o', 'jsonpath={.data.redis-password}']);

  const withoutValues = (facts: Facts): Facts =>
    Object.fromEntries(Object.entries(facts).filter(([path]) => path !== 'release/values'));
  const capturedFacts = (): Facts => withoutValues(point.captured.facts);
  const currentFacts = async (): Promise<Facts> => withoutValues(await releaseConfig.readFacts(restoring()));

  beforeAll(async () => {
    if (sandbox === undefined) return;
    ground = await openMethodGround(sandbox, [release]);
    bound = await ground.bind(release);
  });

  afterAll(async () => {
    await ground.close();
  });

  it('captures values, manifest, the chart with its dependencies, and every object that pods refer to', async () => {
    point = await captureInMemory(releaseConfig, context());

    expect(point.captured.notes).toEqual([]);
    expect([...point.streams.keys()].sort()).toEqual(['chart', 'namespace', 'objects', 'record']);
    expect(Object.keys(point.captured.facts).sort()).toEqual(
      [
        `ConfigMap/${release.name}-config/data`,
        `PersistentVolumeClaim/data-${release.name}-0/claim`,
        `Secret/${secretName}/data`,
        'release/chart',
        'release/values',
      ].sort(),
    );
    const objects = point.streams.get('objects')?.toString() ?? '';
    expect(objects).not.toMatch(/"uid"|"resourceVersion"|"managedFields"|"ownerReferences"|"volumeName"/);
    expect(await releaseConfig.readFacts(restoring())).toEqual(point.captured.facts);
  });

  it('names a claim of the release that no workload of its plan has', async () => {
    const claim = {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
      metadata: {
        name: `data-${release.name}-1`,
        labels: { 'app.kubernetes.io/instance': release.name },
      },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
    };
    await ground.kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify(claim));

    const { captured } = await captureInMemory(releaseConfig, context());

    expect(captured.notes).toEqual([
      `what data-${release.name}-1 holds is not in the point: its plan names no workload with it`,
    ]);
    await ground.kubectl(['delete', 'pvc', claim.metadata.name, '-n', namespace]);
  });

  it('brings a release back that is gone, with the captured Secret and the captured chart', async () => {
    if (sandbox === undefined) return;
    const before = await password();
    await uninstallRelease(ground.backends.access, namespace, release.name);
    await ground.kubectl(['delete', 'pvc,secret,configmap', '--all', '-n', namespace]);

    await restoreObjects(restoring());
    const { values, chartArchive } = await readRecord(restoring());
    await installChart(ground.backends.access, {
      archive: chartArchive ?? new Uint8Array(),
      namespace,
      name: release.name,
      // another password than the captured one, as where it is made at random
      values: values.replace('captured-one', 'rendered-anew'),
    });
    const changed = await listReplacedSecrets(restoring());
    await restoreSecrets(restoring());

    expect(changed).toEqual(release.name === 'redis' ? [] : [`Secret/${secretName}`]);
    expect(await password()).toBe(before);
    expect(await currentFacts()).toEqual(capturedFacts());
    expect(await listReplacedSecrets(restoring())).toEqual([]);
  });

  it('counts no object that came later', async () => {
    const later = ['configmap', 'came-later', '-n', namespace];
    await ground.kubectl(['create', ...later]);
    await ground.kubectl(['label', ...later, `app.kubernetes.io/instance=${release.name}`]);

    expect((await captureInMemory(releaseConfig, context())).captured.facts).toHaveProperty(
      'ConfigMap/came-later/data',
    );
    expect(await currentFacts()).toEqual(capturedFacts());
    await ground.kubectl(['delete', ...later]);
  });

  it('leaves what another release owns as it is, and makes it where it is missing', async () => {
    const shared = ['secret', 'of-another', '-n', namespace];
    const word = async (): Promise<string> => await ground.kubectl(['get', ...shared, '-o', 'jsonpath={.data.word}']);
    await ground.kubectl(['create', 'secret', 'generic', ...shared.slice(1), '--from-literal=word=captured']);
    const labels = ['app.kubernetes.io/managed-by=Helm', `app.kubernetes.io/instance=${release.name}`];
    await ground.kubectl(['label', ...shared, ...labels]);
    await ground.kubectl(['annotate', ...shared, 'meta.helm.sh/release-name=another']);
    const withShared = await captureInMemory(releaseConfig, context());
    const restoringIt = () => restoreContextOf(context(), withShared);
    expect(withShared.captured.facts).toMatchObject({ 'Secret/of-another/present': 'yes' });
    const captured = await word();
    await ground.kubectl(['patch', ...shared, '--type', 'merge', '-p', '{"data":{"word":"cm90YXRlZA=="}}']);

    await restoreObjects(restoringIt());
    await restoreSecrets(restoringIt());

    expect(await word()).toBe('cm90YXRlZA==');
    expect(await listReplacedSecrets(restoringIt())).toEqual([]);
    expect(await releaseConfig.readFacts(restoringIt())).toEqual(withShared.captured.facts);
    await ground.kubectl(['delete', ...shared]);
    await restoreObjects(restoringIt());
    expect(await word()).toBe(captured);
    expect(await releaseConfig.readFacts(restoringIt())).toEqual(withShared.captured.facts);
    await ground.kubectl(['delete', ...shared]);
  });

  it('brings a certificate that a controller renews, and does not miss the old one where it was renewed', async () => {
    const secret = {
      ...{ apiVersion: 'v1', kind: 'Secret', type: 'Opaque', stringData: { certificate: 'captured' } },
      metadata: {
        name: 'certificate',
        labels: { 'app.kubernetes.io/instance': release.name },
        annotations: { 'cert-manager.io/certificate-name': 'web' },
      },
    };
    const named = ['secret', 'certificate', '-n', namespace];
    const data = async (): Promise<string> => await ground.kubectl(['get', ...named, '-o', 'jsonpath={.data}']);
    await ground.kubectl(['apply', '-n', namespace, '-f', '-'], JSON.stringify(secret));
    const captured = await data();
    const certified = await captureInMemory(releaseConfig, context());
    const restoringIt = () => restoreContextOf(context(), certified);
    await ground.kubectl(['delete', ...named]);

    expect(await releaseConfig.readFacts(restoringIt())).not.toEqual(certified.captured.facts);
    await restoreObjects(restoringIt());

    expect(await data()).toBe(captured);
    await ground.kubectl(['patch', ...named, '--type', 'merge', '-p', '{"data":{"certificate":"cmVuZXdlZA=="}}']);
    expect(await releaseConfig.readFacts(restoringIt())).toEqual(certified.captured.facts);
    await ground.kubectl(['delete', ...named]);
  });

  it('takes keys away that came later, and makes what cannot be changed anew', async () => {
    await ground.kubectl([
      'patch',
      'secret',
      secretName,
      '-n',
      namespace,
      '--type',
      'merge',
      '-p',
      '{"data":{"redis-password":"eA==","later":"eA=="},"immutable":true}',
    ]);

    await restoreObjects(restoring());
    await restoreSecrets(restoring());

    expect(await currentFacts()).toEqual(capturedFacts());
  });
});
