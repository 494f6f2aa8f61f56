import type { ReleaseName } from '../../model/release-name.ts';

type Installed = Pick<ReleaseName, 'namespace' | 'name'>;

/** Filters of jq: what a chart made, that of this release, and what a hook made. */
const ofHelm =
  '(.metadata.labels["app.kubernetes.io/managed-by"] == "Helm" and .metadata.annotations["meta.helm.sh/release-name"] != null)';
const ofHook = '(.metadata.annotations["helm.sh/hook"] != null)';

/** The lines of RESTORE.md that bring a release's configuration back, in their order; the chart's is the last. */
export function configurationGuide({ namespace, name }: Installed): Record<'record' | 'namespace' | 'objects', string> {
  return {
    record: `jq -r .values >../values.json   # for helm install ${name}, with the chart`,
    namespace: 'kubectl apply --server-side -f -   # first of all',
    objects: `tee ../objects.json | jq -c '.items[] | select(${ofHelm} or ${ofHook} | not)' |
  ${applyEach(namespace)}   # what no chart makes`,
  };
}

/**
 * The lines that install the release from its chart, and give back what a chart makes up, as passwords. Pods that run keep what they
 * began with: they are begun anew when all is restored.
 */
export function chartGuide({ namespace, name }: Installed): string {
  const own = `${ofHelm} and .metadata.annotations["meta.helm.sh/release-name"] == "${name}"`;
  return `cat >../chart.tgz
helm install ${name} ../chart.tgz -n ${namespace} -f ../values.json --wait --timeout 15m
# captured passwords win over those that the chart makes up
jq -c '.items[] | select(${own} or ${ofHook})' ../objects.json |
  ${applyEach(namespace)}
rm ../objects.json ../values.json
# when everything below is restored, where the chart makes passwords up: kubectl rollout restart -n ${namespace} …`;
}

function applyEach(namespace: string): string {
  return `while read -r object; do kubectl apply --server-side --force-conflicts -n ${namespace} -f - <<<"$object"; done`;
}
