import { join, resolve } from 'node:path';
import type { Backends } from '../activities/backends.ts';
import { clusterAccess } from '../activities/clients/kubectl.ts';
import { openKubernetes } from '../activities/clients/kubernetes.ts';
import { openStore } from '../activities/open-store.ts';
import { loadPlans } from '../activities/plan-catalogue.ts';
import { failure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { LoadedPlatform } from './load-config.ts';
import { findTool, locateTool } from './tools/find-tool.ts';

/** The catalogue that comes with Lifeboat. */
const builtInPlans = join(import.meta.dirname, '..', 'charts');

/** The path of a tool: an override from the environment, PATH or the cache; with `install` it is fetched when missing. */
async function toolPath(name: 'helm' | 'kubectl', install: ((line: string) => void) | undefined): Promise<string> {
  const override = process.env[`LIFEBOAT_${name.toUpperCase()}`];
  if (override !== undefined) return override;
  const found = install === undefined ? await locateTool(name) : await findTool(name, install);
  if (found === undefined)
    throw failure('ToolMissing', {
      message: `find ${name}: neither on PATH in a version that fits nor in the tool cache`,
    });
  return found;
}

/** Opens everything that the activities of one worker reach. Nothing is contacted yet but the store's folder. */
export async function openBackends(
  loaded: LoadedPlatform,
  kit: RecoveryKit,
  options: { temporalAddress?: string; installTools?: (line: string) => void } = {},
): Promise<Backends> {
  const { platform, directory } = loaded;
  const kubeconfig =
    platform.cluster.kubeconfig === undefined ? undefined : resolve(directory, platform.cluster.kubeconfig);
  const cluster = { ...platform.cluster, ...(kubeconfig === undefined ? {} : { kubeconfig }) };
  const [kubectl, helm] = [
    await toolPath('kubectl', options.installTools),
    await toolPath('helm', options.installTools),
  ];
  const directories = [...(platform.plans === undefined ? [] : [resolve(directory, platform.plans)]), builtInPlans];
  const plans = await loadPlans(directories);
  return {
    platform: { ...platform, cluster, releases: platform.releases.map((entry) => absoluteChart(entry, directory)) },
    platformText: loaded.text,
    platformDigest: loaded.digest,
    baseDirectory: directory,
    access: clusterAccess({ ...platform, cluster }, { kubectl, helm }),
    kubernetes: openKubernetes({ kubeconfig, context: platform.cluster.context }),
    store: await openStore(platform.store),
    kit,
    plans,
    temporalAddress: options.temporalAddress ?? platform.temporal.address,
  };
}

/** A chart that is a folder or archive beside lifeboat.yaml, by its whole path. */
function absoluteChart<T extends { chart?: string | undefined }>(entry: T, directory: string): T {
  const { chart } = entry;
  return chart === undefined || !chart.startsWith('.') ? entry : { ...entry, chart: resolve(directory, chart) };
}
