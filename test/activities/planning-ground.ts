import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { Backends } from '../../activities/backends.ts';
import { bindRelease } from '../../activities/binding/bind-release.ts';
import type { Kubernetes } from '../../activities/clients/kubernetes.ts';
import { loadPlans } from '../../activities/plan-catalogue.ts';
import type { BoundPlan } from '../../model/bound-plan.ts';
import { Platform } from '../../model/platform.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import { type CommittedManifest, commitManifest, type ManifestDraft } from '../../transfer/points.ts';
import { writeBytes } from '../../transfer/write-artifact.ts';
import { describedComponent, draftAt, testKit } from '../transfer/test-points.ts';
import { testFolder } from '../transfer/test-sources.ts';

/** The release of these tests: a Redis that runs, with its plan of the catalogue. */
export const cache = { cluster: 'prod', namespace: 'shop', name: 'cache' };

const labels = { 'app.kubernetes.io/instance': cache.name };
const workload = {
  metadata: { name: cache.name, labels },
  spec: {
    selector: { matchLabels: labels },
    template: { spec: { containers: [{ name: 'redis', image: 'redis' }] } },
  },
};

/** What a cluster and Helm answer of the release: enough to plan with, never for the success of a step. */
export type PlanningGround = { readonly backends: Backends; readonly folder: string; readonly bound: BoundPlan };

export async function planningGround(): Promise<PlanningGround> {
  const folder = testFolder();
  const kit = await testKit();
  const [helm, kubectl] = [join(folder, 'helm'), join(folder, 'kubectl')] as const;
  const listed = { ...{ name: cache.name, namespace: cache.namespace }, chart: 'redis-1.0.0' };
  const manifest = `{ kind: StatefulSet, metadata: { name: ${cache.name} } }`;
  writeFileSync(
    helm,
    `#!/bin/sh
case "$1 $2" in
  list*) echo '${JSON.stringify([{ ...listed, revision: '3', status: 'deployed', app_version: '8' }])}' ;;
  'get values') echo '{}' ;;
  'get all') printf '%s\\n' '${manifest}'; printf '%s\\n' "$7" | sed -n 2p ;;
  package*) : >"$4/redis-$(sed -n 's/^version: //p' "$2/Chart.yaml").tgz" ;;
  pull*) : >"$6/redis-$4.tgz" ;;
  upgrade*) echo '${JSON.stringify({ manifest })}' ;;
  *) echo "no $*" >&2; exit 1 ;;
esac
`,
  );
  writeFileSync(kubectl, '#!/bin/sh\n');
  for (const tool of [helm, kubectl]) chmodSync(tool, 0o755);
  const none = () => Promise.resolve({ items: [] });
  const kubernetes = {
    apps: { listNamespacedStatefulSet: () => Promise.resolve({ items: [workload] }), listNamespacedDeployment: none },
    core: {
      ...{ listNamespacedService: none, listNamespacedSecret: none, listNamespacedConfigMap: none },
      readNamespace: () => Promise.resolve({}),
    },
  } as unknown as Kubernetes;
  const platform = Platform.parse({
    ...{ apiVersion: 'lifeboat/v1', platform: 'shop', cluster: { name: cache.cluster }, store: { url: 'file:///x' } },
    ...{ recipients: kit.recipients, releases: [{ release: `${cache.namespace}/${cache.name}` }] },
  });
  const backends: Backends = {
    ...{ platform, platformText: '', platformDigest: '', baseDirectory: folder, temporalAddress: '' },
    ...{ access: { helm, kubectl, kubeconfig: undefined, context: undefined }, kubernetes },
    ...{ store: filesystemStore(testFolder()), kit },
    plans: await loadPlans([join(import.meta.dirname, '..', '..', 'charts')]),
  };
  return { backends, folder, bound: await bindRelease(backends, cache) };
}

/** Commits a point of the release with the components `config` and `data`, made `minute` minutes after ten. */
export async function commitPoint(
  { backends, bound }: PlanningGround,
  minute: number,
  more: Partial<ManifestDraft> = {},
): Promise<CommittedManifest> {
  const { store, kit } = backends;
  const draft = draftAt(minute);
  const prefix = pointPrefix(cache, draft.id);
  const bytes = Buffer.from(JSON.stringify(bound));
  const plan = await writeBytes({
    ...{ store, prefix, name: 'plan', bytes, recipients: kit.recipients, restoreCommand: 'cat' },
  });
  const components = [
    { ...describedComponent(prefix, 10), component: 'config', method: 'release-config' as const },
    { ...describedComponent(prefix, 1_000), component: 'data', method: 'redis-rdb' as const },
  ];
  return await commitManifest({ store, kit, draft: { ...draft, release: cache, components, plan, ...more } });
}

/** Runs what an activity does. */
export async function inActivity<T>(work: () => Promise<T>): Promise<T> {
  return await new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(work);
}
