import { execFileSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Backends } from '../../activities/backends.ts';
import { bindRelease } from '../../activities/binding/bind-release.ts';
import type { PodAddress } from '../../activities/clients/kubectl.ts';
import { isReady, listPods, openKubernetes } from '../../activities/clients/kubernetes.ts';
import { runInPod } from '../../activities/executors/pod-exec.ts';
import { methodOf } from '../../activities/method-context.ts';
import type { Method, MethodContext } from '../../activities/methods/method.ts';
import { loadPlans } from '../../activities/plan-catalogue.ts';
import type { BoundPlan, BoundWorkload } from '../../model/bound-plan.ts';
import { failure } from '../../model/failures.ts';
import { Platform } from '../../model/platform.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { installPlatform } from '../../sandbox/platform/install-platform.ts';
import { kubectl } from '../../sandbox/platform/kubectl.ts';
import type { SandboxRelease } from '../../sandbox/platform/release.ts';
import { readSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import type { MemoryPoint } from './memory-point.ts';

/** The sandbox of `npm test`, or the one that runs, or another cluster's kubeconfig; undefined where there is none. */
export async function findSandbox(): Promise<Sandbox | undefined> {
  const given = process.env['LIFEBOAT_TEST_SANDBOX'];
  const sandbox = given === undefined ? await readSandbox() : (JSON.parse(given) as Sandbox);
  const kubeconfig = process.env['LIFEBOAT_TEST_KUBECONFIG'];
  return sandbox === undefined || kubeconfig === undefined ? sandbox : { ...sandbox, kubeconfig };
}

/** Real releases of a test, and the contexts that methods get for them. */
export type MethodGround = {
  readonly backends: Backends;
  bind(release: SandboxRelease): Promise<BoundPlan>;
  context(bound: BoundPlan, component: string, generation: string, over?: Over): MethodContext<unknown>;
  method(bound: BoundPlan, component: string): Method<unknown>;
  /** The pod of a workload that serves. @throws PodGone */
  podOf(workload: BoundWorkload): Promise<PodAddress>;
  /** Runs a command in the workload's pod; a bad exit throws. */
  run(workload: BoundWorkload, command: readonly string[], input?: string): Promise<string>;
  /** Scales a workload and waits until its pods are gone or ready. */
  scale(workload: BoundWorkload, replicas: number): Promise<void>;
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Gives each stream of a point to the command that RESTORE.md has for it, in a shell that knows kubectl and the cluster. */
  followByHand(point: MemoryPoint): void;
  close(): Promise<void>;
};

/** What a test gives a method in place of what the plan says. */
export type Over = {
  readonly options?: object;
  readonly pod?: PodAddress;
  readonly component?: object;
  readonly plan?: object;
  readonly parameters?: Record<string, string>;
  readonly signal?: AbortSignal;
};

/**
 * Installs releases and fills them; `close` removes their namespaces. What a killed run left in them is removed first.
 * `LIFEBOAT_CONFORMANCE_KEEP=1` keeps them, and takes them as they are.
 */
export async function openMethodGround(sandbox: Sandbox, releases: readonly SandboxRelease[]): Promise<MethodGround> {
  const namespaces = [...new Set(releases.map(({ namespace }) => namespace))];
  const isKept = process.env['LIFEBOAT_CONFORMANCE_KEEP'] !== undefined;
  if (!isKept) await deleteNamespaces(sandbox, namespaces);
  await installPlatform(sandbox, releases);
  const plans = await loadPlans([join(import.meta.dirname, '..', '..', 'charts')]);
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-conformance-'));
  const store = { url: `file://${directory}`, region: 'unused' };
  const { kit } = await createRecoveryKit({ platform: 'conformance', store });
  const platform = Platform.parse({
    apiVersion: 'lifeboat/v1',
    platform: 'conformance',
    cluster: { name: 'sandbox' },
    store,
    recipients: kit.recipients,
    releases: releases.map(({ chart, namespace, name }) => ({
      release: `${namespace}/${name}`,
      chart: join(import.meta.dirname, '..', '..', 'charts', chart),
    })),
  });
  const { kubeconfig, context, tools } = sandbox;
  const backends: Backends = {
    platform,
    platformText: '',
    platformDigest: '',
    baseDirectory: '/',
    access: { kubectl: tools.kubectl, helm: tools.helm, kubeconfig, context },
    kubernetes: openKubernetes({ kubeconfig, context }),
    store: filesystemStore(directory),
    kit,
    plans,
    temporalAddress: '',
  };
  const podOf = async (workload: BoundWorkload): Promise<PodAddress> => {
    const pods = await listPods(backends.kubernetes, workload.namespace, workload.selector);
    const name = pods.find((pod) => isReady(pod))?.metadata?.name;
    if (name === undefined) throw failure('PodGone', { message: `find pod of ${workload.name}` });
    return { namespace: workload.namespace, pod: name, container: workload.container };
  };
  const componentOf = (bound: BoundPlan, name: string): BoundPlan['plan']['components'][number] => {
    const found = bound.plan.components.find((component) => component.name === name);
    if (found === undefined) throw new Error(`no component ${name}`);
    return found;
  };
  const cluster = async (args: readonly string[], input?: string): Promise<string> =>
    await kubectl(sandbox, args, input === undefined ? {} : { input });
  return {
    backends,
    podOf,
    kubectl: cluster,
    followByHand: ({ streams, restoreCommands }) => {
      const env = {
        ...process.env,
        KUBECONFIG: kubeconfig,
        PATH: `${dirname(tools.kubectl)}:${process.env['PATH'] ?? ''}`,
      };
      for (const [name, command] of restoreCommands)
        if (!command.startsWith('#'))
          execFileSync('bash', ['--norc', '-euo', 'pipefail', '-c', command], {
            input: streams.get(name),
            env,
            cwd: directory,
          });
    },
    bind: async ({ namespace, name }) => await bindRelease(backends, { cluster: 'sandbox', namespace, name }),
    method: (bound, component) => methodOf(componentOf(bound, component)),
    context: (bound, name, generation, over = {}) => {
      const component = { ...componentOf(bound, name), ...over.component };
      const workload =
        component.host === undefined
          ? bound.workloads[component.workload ?? '']
          : bound.hosts[component.host]?.workload;
      return {
        backends,
        bound: {
          ...bound,
          plan: { ...bound.plan, ...over.plan },
          parameters: { ...bound.parameters, ...over.parameters },
        },
        component,
        options: methodOf(component).options.parse(over.options ?? component.options),
        workload,
        signal: over.signal ?? new AbortController().signal,
        generation,
        progress: () => undefined,
        pod: async () => over.pod ?? (await podOf(workload as BoundWorkload)),
      };
    },
    run: async (workload, command, input) => {
      const result = await runInPod(
        backends.access,
        await podOf(workload),
        command,
        input === undefined ? {} : { input },
      );
      if (result.exitCode !== 0)
        throw new Error(
          `${command.slice(0, 3).join(' ')}: exit ${String(result.exitCode)}: ${result.stderr.slice(-500)}`,
        );
      return result.stdout;
    },
    scale: async (workload, replicas) => {
      const target = [`${workload.kind.toLowerCase()}/${workload.name}`, '-n', workload.namespace];
      await cluster(['scale', ...target, `--replicas=${String(replicas)}`]);
      if (replicas > 0) await cluster(['rollout', 'status', ...target, '--timeout=180s']);
      while (replicas === 0 && (await listPods(backends.kubernetes, workload.namespace, workload.selector)).length > 0)
        await new Promise((resolve) => setTimeout(resolve, 300));
    },
    close: async () => {
      if (!isKept) await deleteNamespaces(sandbox, namespaces);
    },
  };
}
