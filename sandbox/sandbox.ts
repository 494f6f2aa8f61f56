import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { findTool, locateTool } from '../workers/tools/find-tool.ts';
import { recordedDaemons, runningDaemon } from './daemon.ts';
import { buildImages, imagesAreImported, importImages } from './images/images.ts';
import { startCluster, startRuntime } from './kubernetes/cluster.ts';
import { compileKubernetes } from './kubernetes/compile.ts';
import { policyDaemon } from './kubernetes/network-policies.ts';
import { type Layout, layout, names, runDirectory, sandboxVersion } from './layout.ts';
import { withSandboxLock } from './lock.ts';
import { checkMachine, installPackages } from './machine.ts';
import { describeStore, type ObjectStore, startObjectStore } from './object-store.ts';
import { type Progress, timed, tryRun } from './run.ts';
import { endEverything, removeState } from './take-down.ts';
import { startTemporal, type TemporalAddress, type TemporalOptions, temporalAddress } from './temporal.ts';

/** A running sandbox: addresses, keys and tools. */
export type Sandbox = {
  readonly kubeconfig: string;
  readonly context: string;
  readonly temporal: TemporalAddress;
  readonly s3: ObjectStore;
  readonly tools: { readonly kubectl: string; readonly helm: string; readonly temporal: string };
  readonly directory: string;
};

/** What is brought up. */
export type BringUpOptions = {
  /** `false` leaves Temporal out; it is started by `startTemporal` then. */
  readonly temporal?: false | TemporalOptions;
  /** `false` leaves Kubernetes out, for a cluster of one's own: only Temporal and the store run. */
  readonly kubernetes?: boolean;
};

/** What runs and what does not. */
export type SandboxStatus = {
  readonly state: 'running' | 'partly running' | 'stopped';
  readonly version: string | null;
  readonly directory: string;
  readonly processes: readonly { readonly name: string; readonly pid: number | null }[];
};

/** Daemons of a whole sandbox. */
const clusterDaemons = [
  'containerd',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'dns',
  'local-path-provisioner',
  policyDaemon,
];

/**
 * Brings the sandbox up, or what is missing of it; one that runs is used as it is, whichever checkout started it.
 * Idempotent; after a crash it repairs.
 */
export async function bringUp(options: BringUpOptions = {}, progress: Progress = () => undefined): Promise<Sandbox> {
  const at = layout();
  const withKubernetes = options.kubernetes !== false;
  if (withKubernetes) await checkMachine();
  return await withSandboxLock(at, progress, async () => {
    await claim(at, progress);
    const tools = findTools(progress);
    tools.catch(() => undefined);
    if (withKubernetes && !(await clusterServes(at))) await raiseCluster(at, tools, progress);
    const { kubectl, helm, temporal } = await tools;
    const s3 = await timed(progress, 'object store', () => startObjectStore(at, withKubernetes, progress));
    if (options.temporal !== false) {
      const temporalOptions = options.temporal ?? {};
      await timed(progress, `Temporal  ${temporalAddress.ui}`, () => startTemporal(temporalOptions, progress));
    }
    return {
      kubeconfig: at.kubeconfig,
      context: names.context,
      temporal: temporalAddress,
      s3,
      tools: { kubectl, helm, temporal },
      directory: at.directory,
    };
  });
}

/** Takes the sandbox down with every trace of it: processes, pods, mounts, network, rules, state. Caches stay. */
export async function takeDown(progress: Progress = () => undefined): Promise<void> {
  const at = layout();
  await withSandboxLock(at, progress, async () => {
    const owner = await readFile(at.owner, 'utf8').catch(() => undefined);
    if (owner !== undefined && owner !== at.directory)
      throw new Error(`take sandbox down: the one that runs is that of ${owner}`);
    await timed(progress, 'processes and pods ended', () => endEverything(at));
    await timed(progress, 'state removed', () => removeState(at));
  });
}

/** What runs of the sandbox; changes nothing. */
export async function readStatus(): Promise<SandboxStatus> {
  const at = layout();
  const recorded = await recordedDaemons(at);
  const withKubernetes = recorded.some((name) => clusterDaemons.includes(name));
  const expected = [...new Set([...(withKubernetes ? clusterDaemons : []), ...recorded])];
  const processes = await Promise.all(
    expected.map(async (name) => ({ name, pid: (await runningDaemon(at, name))?.pid ?? null })),
  );
  const running = processes.filter(({ pid }) => pid !== null).length;
  const state = running === 0 ? 'stopped' : running === processes.length ? 'running' : 'partly running';
  return { state, version: await readVersion(at), directory: at.directory, processes };
}

/** The running sandbox's description without starting anything; undefined when its cluster does not answer. */
export async function readSandbox(): Promise<Sandbox | undefined> {
  const at = layout();
  const [kubectl, helm, temporal] = await Promise.all([
    locateTool('kubectl'),
    locateTool('helm'),
    locateTool('temporal'),
  ]);
  if (kubectl === undefined || helm === undefined || temporal === undefined || !(await apiAnswers(at, kubectl)))
    return undefined;
  const s3 = await describeStore(at);
  return {
    kubeconfig: at.kubeconfig,
    context: names.context,
    temporal: temporalAddress,
    s3,
    tools: { kubectl, helm, temporal },
    directory: at.directory,
  };
}

/** Installs what is missing, side by side, and starts the cluster; the images are built and imported meanwhile. */
async function raiseCluster(at: Layout, tools: Promise<{ kubectl: string }>, progress: Progress): Promise<void> {
  const runtime = installPackages(progress).then(() => startRuntime(at));
  const images = runtime.then(async () => {
    await importImages(at, await buildImages(progress), progress);
  });
  images.catch(() => undefined);
  const [programs, { kubectl }] = await Promise.all([compileKubernetes(progress), tools, runtime]);
  await startCluster(at, programs, kubectl, progress);
  await images;
}

async function findTools(progress: Progress): Promise<{ kubectl: string; helm: string; temporal: string }> {
  // One after the other beside the compiler: they are downloads, and the last is a compilation itself.
  const kubectl = await findTool('kubectl', progress);
  const helm = await findTool('helm', progress);
  const temporal = await findTool('temporal', progress);
  await findTool('versitygw', progress);
  return { kubectl, helm, temporal };
}

async function clusterServes(at: Layout): Promise<boolean> {
  const running = await Promise.all(clusterDaemons.map((name) => runningDaemon(at, name)));
  const kubectl = await locateTool('kubectl');
  if (running.includes(undefined) || kubectl === undefined) return false;
  return (await apiAnswers(at, kubectl)) && (await imagesAreImported(at));
}

async function apiAnswers(at: Layout, kubectl: string): Promise<boolean> {
  return (
    (await tryRun(kubectl, ['--kubeconfig', at.kubeconfig, 'get', '--raw', '/readyz'], { timeoutMs: 5_000 })) !==
    undefined
  );
}

/** Takes the machine's only place for a sandbox, and replaces the state of another version when nothing of it runs. */
async function claim(at: Layout, progress: Progress): Promise<void> {
  await mkdir(runDirectory, { recursive: true });
  const owner = await readFile(at.owner, 'utf8').catch(() => undefined);
  if (owner !== undefined && owner !== at.directory) {
    const other = layout(owner);
    const alive = await Promise.all((await recordedDaemons(other)).map((name) => runningDaemon(other, name)));
    if (alive.some((daemon) => daemon !== undefined))
      throw new Error(
        `start sandbox: the one of ${owner} holds the ports and the bridge; take it down: LIFEBOAT_SANDBOX=${owner} npm run sandbox down`,
      );
    await endEverything(other);
  }
  const found = await readVersion(at);
  const wanted = sandboxVersion();
  if (found !== null && found !== wanted) {
    const { state } = await readStatus();
    if (state !== 'stopped')
      throw new Error(
        `start sandbox: one of another version (${found}, here ${wanted}) is running; take it down first: npm run sandbox down`,
      );
    progress('the state of another version is replaced');
    await endEverything(at);
    await rm(at.directory, { recursive: true, force: true });
  }
  await mkdir(at.directory, { recursive: true });
  await writeFile(at.owner, at.directory);
  await writeFile(at.description, JSON.stringify({ version: wanted }));
}

async function readVersion(at: Layout): Promise<string | null> {
  const text = await readFile(at.description, 'utf8').catch(() => undefined);
  return text === undefined ? null : (JSON.parse(text) as { version: string }).version;
}
