import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PodAddress } from '../../activities/clients/kubectl.ts';
import { openStore } from '../../activities/open-store.ts';
import type { Manifest } from '../../model/recovery-point.ts';
import { moverImage } from '../../sandbox/images/mover-image.ts';
import type { SandboxRelease } from '../../sandbox/platform/release.ts';
import { readChain } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { type Fault, startFaultProxy } from '../conformance/fault-proxy.ts';
import { type Ground, openGround, openSandbox } from './ground.ts';

/** A ground whose platform moves what is larger than 64 KiB by movers. */
export class MoverGround {
  readonly ground: Ground;
  readonly store: Store;
  readonly wordpress: string;
  /** Names of movers that the cluster has seen. */
  readonly seen = new Set<string>();
  /** Between the movers alone and the store. */
  fault: ((line: string) => Fault | undefined) | undefined;
  readonly #namespace: string;
  readonly #closing: (() => Promise<void>)[] = [];
  #watching = true;
  #watcher: ChildProcess | undefined;

  private constructor(ground: Ground, store: Store) {
    this.ground = ground;
    this.store = store;
    this.#namespace = ground.namespace;
    this.wordpress = `${ground.namespace}/wordpress`;
    this.#watch();
  }

  /** Opens the ground with WordPress, its database, and what else is named by chart, all in one namespace. */
  static async open(name: string, ...charts: readonly SandboxRelease['chart'][]): Promise<MoverGround> {
    const { s3 } = await openSandbox();
    const opened: { it?: MoverGround } = {};
    const proxy = await startFaultProxy(
      s3.endpoint,
      (line) => opened.it?.fault?.(line),
      new URL(s3.podEndpoint).hostname,
    );
    const namespace = `e2e-${name}`;
    const ground = await openGround(name, {
      releases: [...charts, 'mysql', 'wordpress'].map((chart) => ({ chart, namespace, name: chart })),
      overrides: { mover: { image: moverImage, endpoint: proxy.endpoint, from: '64KiB', session: '1h' } },
    });
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = ground.setting.env;
    const store = await openStore(ground.setting.kit.store, { accessKeyId, secretAccessKey });
    const movers = new MoverGround(ground, store);
    opened.it = movers;
    movers.#closing.push(
      () => ground.close(),
      () => proxy.stop(),
    );
    return movers;
  }

  async close(): Promise<void> {
    this.#watching = false;
    this.#watcher?.kill();
    for (const close of this.#closing) await close();
  }

  async newest(release: string): Promise<Manifest> {
    const found = await this.#findNewest(release);
    if (found === undefined) throw new Error(`${release} has no point`);
    return found;
  }

  async hasPoint(release: string): Promise<boolean> {
    return (await this.#findNewest(release)) !== undefined;
  }

  async #findNewest(release: string): Promise<Manifest | undefined> {
    const [of = '', name = ''] = release.split('/');
    const { signing } = this.ground.setting.kit;
    const [first] = await readChain({
      store: this.store,
      trustedKeys: [signing.publicKey],
      release: { cluster: 'sandbox', namespace: of, name },
    });
    return first?.document;
  }

  /** Pods and Secrets of movers that are there. */
  async leftovers(): Promise<string[]> {
    const of = (kind: string): Promise<string> =>
      this.ground.kubectl(['get', kind, '-n', this.#namespace, '-l', 'lifeboat.dev/run', '-o', 'name']);
    return [...(await of('pods')).split('\n'), ...(await of('secrets')).split('\n')].filter((name) => name !== '');
  }

  async storedKeys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list('points/')) keys.push(key);
    return keys.sort();
  }

  async wordpressPod(): Promise<PodAddress> {
    const listed = await this.ground.kubectl([
      ...['get', 'pods', '-n', this.#namespace, '-l', 'app.kubernetes.io/instance=wordpress', '-o', 'name'],
      ...['--field-selector', 'status.phase=Running'],
    ]);
    const pod = listed.split('\n').find((name) => name.startsWith('pod/wordpress-')) ?? '';
    return { namespace: this.#namespace, pod: pod.replace('pod/', ''), container: 'wordpress' };
  }

  /** @returns the mover that captures the files, two seconds after it came into a phase */
  async untilMover(phase: 'Pending' | 'Running'): Promise<string> {
    for (let tries = 0; tries < 300; tries += 1) {
      const text = await this.ground.kubectl(['get', 'pods', '-n', this.#namespace, '-o', 'json']);
      const { items } = JSON.parse(text) as {
        items: { metadata: { name: string }; status: { phase: string; containerStatuses?: { ready: boolean }[] } }[];
      };
      const mover = items.find(
        ({ metadata, status }) => metadata.name.startsWith('lifeboat-mover-') && status.phase === phase,
      );
      if (mover !== undefined) {
        await sleep(2_000);
        return `pod/${mover.metadata.name}`;
      }
      await sleep(100);
    }
    throw new Error(`no mover was ${phase}`);
  }

  /** One process that is told of each pod; it ends with the watch of the API server, and is started anew. */
  #watch(): void {
    if (!this.#watching) return;
    const { tools, kubeconfig } = this.ground.sandbox;
    const args = ['--kubeconfig', kubeconfig, 'get', 'pods', '-n', this.#namespace, '-o', 'name', '--watch'];
    const watch = spawn(tools.kubectl, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#watcher = watch;
    createInterface({ input: watch.stdout }).on('line', (name) => {
      if (name.includes('lifeboat-mover-')) this.seen.add(name);
    });
    watch.once('close', () => {
      setTimeout(() => {
        this.#watch();
      }, 300);
    });
  }
}
