import { join, resolve } from 'node:path';
import type { Backends } from '../activities/backends.ts';
import { clusterAccess } from '../activities/clients/kubectl.ts';
import { serverVersion } from '../activities/clients/kubectl-version.ts';
import { type Kubernetes, openKubernetes } from '../activities/clients/kubernetes.ts';
import { openStore } from '../activities/open-store.ts';
import { loadPlans } from '../activities/plan-catalogue.ts';
import { failure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { chooseKubectl } from './choose-kubectl.ts';
import type { LoadedPlatform } from './load-config.ts';
import { findCached, findTool, listOnPath, locateCached, locateTool } from './tools/find-tool.ts';

/** How long the API server may take to say its version: a command that needs no cluster waits no longer. */
const serverAnswersMs = 2_000;

/** The catalogue that comes with Lifeboat. */
const builtInPlans = join(import.meta.dirname, '..', 'charts');

type Install = ((line: string) => void) | undefined;

/** The path of Helm: an override from the environment, PATH or the cache; with `install` it is fetched when missing. */
async function helmPath(install: Install): Promise<string> {
  const override = process.env['LIFEBOAT_HELM'];
  if (override !== undefined) return override;
  return found('helm', install === undefined ? await locateTool('helm') : await findTool('helm', install));
}

/** The same, of the kubectl that fits the cluster. */
async function kubectlPath(kubernetes: Kubernetes, install: Install): Promise<string> {
  const override = process.env['LIFEBOAT_KUBECTL'];
  if (override !== undefined) return override;
  const onPath = await listOnPath('kubectl');
  const cached = async (): Promise<string | undefined> =>
    install === undefined ? await locateCached('kubectl') : await findCached('kubectl', install);
  const chosen = await chooseKubectl({
    onPath,
    usual: async () => onPath.find(({ fits }) => fits)?.path ?? (await cached()),
    server: () => serverVersion(kubernetes, serverAnswersMs).catch(() => undefined),
  });
  return found('kubectl', chosen);
}

function found(name: 'helm' | 'kubectl', path: string | undefined): string {
  if (path === undefined)
    throw failure('ToolMissing', {
      message: `find ${name}: neither on PATH in a version that fits nor in the tool cache`,
    });
  return path;
}

type Options = { temporalAddress?: string; installTools?: (line: string) => void };

/** All that the activities reach but the store and what opens it. */
export type Tools = Omit<Backends, 'store' | 'kit'>;

/** Finds the tools and the plans. Nothing is contacted but the cluster where its version says which kubectl is the one. */
export async function openTools(loaded: LoadedPlatform, options: Options = {}): Promise<Tools> {
  const { platform, directory } = loaded;
  const kubeconfig =
    platform.cluster.kubeconfig === undefined ? undefined : resolve(directory, platform.cluster.kubeconfig);
  const cluster = { ...platform.cluster, ...(kubeconfig === undefined ? {} : { kubeconfig }) };
  const kubernetes = openKubernetes({ kubeconfig, context: platform.cluster.context });
  const [kubectl, helm] = [await kubectlPath(kubernetes, options.installTools), await helmPath(options.installTools)];
  const directories = [...(platform.plans === undefined ? [] : [resolve(directory, platform.plans)]), builtInPlans];
  return {
    platform: { ...platform, cluster, releases: platform.releases.map((entry) => absoluteChart(entry, directory)) },
    platformText: loaded.text,
    platformDigest: loaded.digest,
    baseDirectory: directory,
    access: clusterAccess({ ...platform, cluster }, { kubectl, helm }),
    kubernetes,
    plans: await loadPlans(directories),
    temporalAddress: options.temporalAddress ?? platform.temporal.address,
  };
}

/** Opens everything that the activities of one worker reach. Nothing more is contacted yet than the store's folder. */
export async function openBackends(loaded: LoadedPlatform, kit: RecoveryKit, options: Options = {}): Promise<Backends> {
  return { ...(await openTools(loaded, options)), store: await openStore(loaded.platform.store), kit };
}

/** A chart that is a folder or archive beside lifeboat.yaml, by its whole path. */
function absoluteChart<T extends { chart?: string | undefined }>(entry: T, directory: string): T {
  const { chart } = entry;
  return chart === undefined || !chart.startsWith('.') ? entry : { ...entry, chart: resolve(directory, chart) };
}
