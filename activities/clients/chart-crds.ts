import { withChartFile } from './chart-file.ts';
import { helmOrFail } from './helm.ts';
import type { ClusterAccess } from './kubectl.ts';

/** What stands in the `crds` folders of a chart archive and its dependencies, as YAML: Helm installs it before all else. */
export async function chartCrds(access: ClusterAccess, archive: Uint8Array, signal: AbortSignal): Promise<string> {
  return await withChartFile(archive, (chart) =>
    helmOrFail(access, 'read the CRDs of a chart', ['show', 'crds', chart], { signal, timeoutMs: 60_000 }),
  );
}
