import type { RequestOptions } from 'node:https';
import { isDeepStrictEqual } from 'node:util';
import {
  ApiException,
  AppsV1Api,
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
  NetworkingV1Api,
  PatchStrategy,
  type RequestContext,
  setHeaderOptions,
  type V1Deployment,
  type V1Pod,
  type V1StatefulSet,
  VersionApi,
} from '@kubernetes/client-node';
import { failure } from '../../model/failures.ts';

type Dispatcher = Parameters<RequestContext['setDispatcher']>[0];
type DispatcherOptions = ReturnType<KubeConfig['createDispatcherOptions']>;

/** Typed reads and small writes of the cluster; the only code that uses @kubernetes/client-node. */
export type Kubernetes = {
  readonly core: CoreV1Api;
  readonly apps: AppsV1Api;
  readonly leases: CoordinationV1Api;
  readonly networking: NetworkingV1Api;
  readonly version: VersionApi;
  readonly server: string;
  /** Gives a plain request to the API server its certificates and credentials. */
  readonly authenticate: (options: RequestOptions) => Promise<void>;
};

/** For a patch that says only what is to change. */
export const mergePatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

/** A workload that runs pods. */
export type WorkloadKind = 'StatefulSet' | 'Deployment';

/**
 * A kubeconfig whose requests share their connections: by itself the library opens one for each request, and the key
 * exchange costs both ends more than the request. Other credentials, as of a renewed certificate, get connections of
 * their own.
 */
class SharedConnections extends KubeConfig {
  #wanted: DispatcherOptions | undefined;
  #kept: { readonly of: DispatcherOptions | undefined; readonly dispatcher: Dispatcher } | undefined;

  override createDispatcherOptions(...of: Parameters<KubeConfig['createDispatcherOptions']>): DispatcherOptions {
    this.#wanted = super.createDispatcherOptions(...of);
    return this.#wanted;
  }

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    const set = context.setDispatcher.bind(context);
    // Called right after the options of this very request were made.
    context.setDispatcher = (made) => {
      if (this.#kept === undefined || !isDeepStrictEqual(this.#kept.of, this.#wanted))
        this.#kept = { of: this.#wanted, dispatcher: made };
      set(this.#kept.dispatcher);
    };
    await super.applySecurityAuthentication(context);
  }
}

/** Opens the cluster that a kubeconfig and context name. @throws ConfigInvalid */
export function openKubernetes(access: { kubeconfig: string | undefined; context: string | undefined }): Kubernetes {
  const config = new SharedConnections();
  try {
    if (access.kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(access.kubeconfig);
    if (access.context !== undefined) {
      if (config.getContextObject(access.context) === null) {
        const known = config
          .getContexts()
          .map((context) => context.name)
          .join(', ');
        throw failure('ConfigInvalid', {
          message: `open cluster: the kubeconfig has no context ${access.context} (it has ${known})`,
        });
      }
      config.setCurrentContext(access.context);
    }
    const server = config.getCurrentCluster()?.server;
    if (server === undefined)
      throw failure('ConfigInvalid', { message: 'open cluster: the kubeconfig names no server' });
    return {
      core: config.makeApiClient(CoreV1Api),
      apps: config.makeApiClient(AppsV1Api),
      leases: config.makeApiClient(CoordinationV1Api),
      networking: config.makeApiClient(NetworkingV1Api),
      version: config.makeApiClient(VersionApi),
      server,
      authenticate: (options) => config.applyToHTTPSOptions(options),
    };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw failure('ConfigInvalid', {
        message: `open cluster: no kubeconfig at ${String(access.kubeconfig)}`,
        cause: error,
      });
    }
    throw error;
  }
}

/** Whether the API server said that the object is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiException && error.code === 404;
}

/** Whether the API server said that the object is there already or changed meanwhile. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiException && error.code === 409;
}

/** Runs a request and turns what the API server or the network says into a failure of the table. */
export async function request<T>(verb: string, send: () => Promise<T>, limitMs = 30_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        failure('ClusterUnreachable', {
          message: `${verb}: no answer of the API server for ${String(limitMs / 1000)} s`,
        }),
      );
    }, limitMs);
  });
  try {
    return await Promise.race([send(), late]);
  } catch (error) {
    if (isNotFound(error) || isConflict(error)) throw error;
    if (error instanceof ApiException) {
      const said = serverMessage(error);
      if (error.code === 401 || error.code === 403)
        throw failure('ClusterDenied', { message: `${verb}: ${said}`, cause: error });
      throw failure('KubernetesFailed', { message: `${verb}: ${said}`, cause: error });
    }
    const code = networkCode(error);
    if (code !== undefined) throw failure('ClusterUnreachable', { message: `${verb}: ${code}`, cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Deletes an object; one that is not there any more is a success. */
export async function gone(verb: string, remove: () => Promise<unknown>): Promise<void> {
  try {
    await request(verb, remove);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Creates an object; one of its name that is there already is a success. */
export async function made(verb: string, create: () => Promise<unknown>): Promise<void> {
  try {
    await request(verb, create);
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
}

/** The object, or undefined where the API server has none of that name. */
export async function optional<T>(verb: string, send: () => Promise<T>): Promise<T | undefined> {
  try {
    return await request(verb, send);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Whether a namespace is there. */
export async function namespaceExists({ core }: Kubernetes, name: string): Promise<boolean> {
  return (await optional(`read namespace ${name}`, () => core.readNamespace({ name }))) !== undefined;
}

function serverMessage(error: ApiException<unknown>): string {
  const body = typeof error.body === 'string' ? error.body : JSON.stringify(error.body);
  const message = /"message":"((?:[^"\\]|\\.)*)"/.exec(body)?.[1];
  return (message ?? `HTTP ${String(error.code)}`).slice(0, 400);
}

function networkCode(error: unknown): string | undefined {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if (
      'code' in cause &&
      typeof cause.code === 'string' &&
      /^(E[A-Z]+|CERT_|UND_|DEPTH_|SELF_|UNABLE_)/.test(cause.code)
    )
      return cause.code;
    if (/certificate|socket hang up|fetch failed|ECONN/i.test(cause.message) && cause.cause === undefined)
      return cause.message;
  }
  // What fetch says of every trouble on the way; the cause may be a word without a code.
  if (error instanceof TypeError && error.message === 'fetch failed')
    return error.cause instanceof Error ? error.cause.message : error.message;
  return undefined;
}

/** Selects what is of a release, by the label that charts give it. */
export function ofRelease({ namespace, name }: { readonly namespace: string; readonly name: string }): {
  namespace: string;
  labelSelector: string;
} {
  return { namespace, labelSelector: `app.kubernetes.io/instance=${name}` };
}

/** Pods of a workload, by the labels that select them, ready ones first. */
export async function listPods(
  kubernetes: Kubernetes,
  namespace: string,
  selector: Readonly<Record<string, string>>,
): Promise<V1Pod[]> {
  const labelSelector = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const { items } = await request('list pods', () => kubernetes.core.listNamespacedPod({ namespace, labelSelector }));
  return items.sort(
    (a, b) => Number(isReady(b)) - Number(isReady(a)) || (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? ''),
  );
}

/** Whether a pod passes its readiness checks and is not going away. */
export function isReady(pod: V1Pod): boolean {
  return (
    pod.metadata?.deletionTimestamp === undefined &&
    (pod.status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True')
  );
}

/** Whether a container of a pod runs and the pod is not going away. */
export function isRunning(pod: V1Pod, container: string): boolean {
  const status = (pod.status?.containerStatuses ?? []).find((each) => each.name === container);
  return pod.metadata?.deletionTimestamp === undefined && status?.state?.running !== undefined;
}

/** Whether a container of a pod runs and has come through its startup: until then no Service leads to it. */
export function isStarted(pod: V1Pod, container: string): boolean {
  const status = (pod.status?.containerStatuses ?? []).find((each) => each.name === container);
  return isRunning(pod, container) && status?.started !== false;
}

/** A workload by kind and name, or undefined. */
export async function readWorkload(
  kubernetes: Kubernetes,
  kind: WorkloadKind,
  namespace: string,
  name: string,
): Promise<V1StatefulSet | V1Deployment | undefined> {
  return await optional<V1StatefulSet | V1Deployment>(`read ${kind} ${name}`, () =>
    kind === 'StatefulSet'
      ? kubernetes.apps.readNamespacedStatefulSet({ namespace, name })
      : kubernetes.apps.readNamespacedDeployment({ namespace, name }),
  );
}
