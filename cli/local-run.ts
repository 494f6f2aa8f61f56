import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { assertConditional, openStore } from '../activities/open-store.ts';
import { failure } from '../model/failures.ts';
import { type Platform, StoreConfig } from '../model/platform.ts';
import { readPlatformPoints } from '../transfer/platform-points.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import { type LoadedPlatform, loadKit, parsePlatform } from '../workers/load-config.ts';
import { startLocalTemporal } from '../workers/local-temporal.ts';
import { openBackends } from '../workers/open-backends.ts';
import { startWorker } from '../workers/run-worker.ts';
import { registerSearchAttributes } from '../workers/search-attributes.ts';
import { connectClient, connectWorker } from '../workers/temporal-connection.ts';
import type { Session } from './session.ts';

/** Where a recovery without anything starts from. */
export type LocalOptions = {
  store?: string;
  endpoint?: string;
  platform?: string;
  kubeconfig?: string;
  context?: string;
  directory?: string;
};

/**
 * Makes a session that needs nothing but the bucket and the recovery kit: lifeboat.yaml comes from the newest platform
 * point, Temporal and a worker run in this process. @throws KeyMissing, StoreNotFound, PointUnknown
 */
export async function openLocalSession(
  session: Session,
  keyPath: string,
  options: LocalOptions,
): Promise<{ session: Session; ui: string; stop: () => Promise<void> }> {
  const { terminal } = session;
  const kit = await loadKit(keyPath);
  const storeConfig = readStore(kit.store, options);
  const store = await openStore(storeConfig);
  await assertConditional(store);
  const name = options.platform ?? kit.platform;
  const points = await readPlatformPoints({ store, trustedKeys: [kit.signing.publicKey], platform: name });
  const newest = points.find((entry) => entry.document !== undefined)?.document;
  if (newest === undefined) {
    const [first] = points.flatMap((entry) => entry.failure ?? []);
    throw (
      first ?? failure('PointUnknown', { message: `find platform point of ${name} in ${store.address}: there is none` })
    );
  }
  for (const { document, failure: problem } of points) {
    if (document === newest) break;
    terminal.note(`! a newer platform point cannot be read: ${problem?.message ?? ''}`);
  }
  const text = (await readBytes({ store, artifact: newest.config, identity: kit.identity })).toString('utf8');
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'lifeboat-local-')));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(join(directory, 'lifeboat.yaml'), text, { mode: 0o600 });
  const captured = parsePlatform(text, join(directory, 'lifeboat.yaml'));
  terminal.note(`lifeboat.yaml comes from platform point ${newest.id} in ${store.address}`);
  const temporal = await startLocalTemporal({
    databaseFile: join(directory, 'temporal.db'),
    progress: (line) => {
      terminal.note(line);
    },
  });
  terminal.note(`Temporal UI  ${temporal.ui}`);
  try {
    const there = withoutLostPlans(captured.platform, directory, (line) => {
      terminal.note(line);
    });
    const platform = onThisMachine(there, storeConfig, temporal.address, options);
    const loaded: LoadedPlatform = { ...captured, platform };
    const backends = await openBackends(loaded, kit, {
      temporalAddress: temporal.address,
      installTools: (line) => {
        terminal.note(line);
      },
    });
    const client = await connectClient(temporal.address, 'default');
    await registerSearchAttributes(client.connection, 'default');
    const worker = await startWorker({
      backends,
      connection: await connectWorker(temporal.address),
      namespace: 'default',
    });
    return {
      ui: temporal.ui,
      session: {
        ...session,
        platform: () => Promise.resolve(loaded),
        kit: () => Promise.resolve(kit),
        store: () => Promise.resolve(store),
        client: () => Promise.resolve(client),
        backends: () => Promise.resolve(backends),
      },
      stop: async () => {
        await worker.stop();
        await temporal.stop();
      },
    };
  } catch (error) {
    await temporal.stop();
    throw error;
  }
}

/** The store of the kit, or the one that the options name. @throws InputInvalid */
function readStore(ofKit: StoreConfig, { store = ofKit.url, endpoint = ofKit.endpoint }: LocalOptions): StoreConfig {
  const read = StoreConfig.safeParse({ ...ofKit, url: store, ...(endpoint === undefined ? {} : { endpoint }) });
  if (read.success) return read.data;
  const problems = read.error.issues.map(({ path, message }) => {
    const option = path[0] === 'endpoint' ? '--endpoint' : '--store';
    return `${option} ${(option === '--store' ? store : endpoint) ?? ''}: ${message}`;
  });
  throw failure('InputInvalid', { message: `recover: ${problems.join('; ')}` });
}

/** Without the directory of plans where that stayed behind: a point carries the plan that it was captured by. */
export function withoutLostPlans(
  { plans, ...platform }: Platform,
  directory: string,
  note: (line: string) => void,
): Platform {
  if (plans === undefined) return platform;
  const path = resolve(directory, plans);
  if (existsSync(path)) return { ...platform, plans };
  note(`the directory of plans ${path} is not on this machine: each point is recovered by the plan that it carries`);
  return platform;
}

/** The captured platform file with what is different on the machine that recovers. */
function onThisMachine(platform: Platform, store: StoreConfig, address: string, options: LocalOptions): Platform {
  const { kubeconfig, context, ...cluster } = platform.cluster;
  const chosen = {
    kubeconfig: options.kubeconfig ?? process.env['KUBECONFIG'] ?? kubeconfig,
    context: options.context ?? context,
  };
  return {
    ...platform,
    store,
    temporal: { address, namespace: 'default' },
    cluster: {
      ...cluster,
      ...(chosen.kubeconfig === undefined ? {} : { kubeconfig: chosen.kubeconfig }),
      ...(chosen.context === undefined ? {} : { context: chosen.context }),
    },
  };
}
