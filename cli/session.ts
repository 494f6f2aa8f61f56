import type { Client, Connection } from '@temporalio/client';
import type { Backends } from '../activities/backends.ts';
import type { FailureView } from '../model/failures.ts';
import type { Compensation } from '../model/outcome.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Store } from '../transfer/store.ts';
import { configPath, kitPath, type LoadedPlatform, loadKit, loadPlatform } from '../workers/load-config.ts';
import type { Tools } from '../workers/open-backends.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** Options that every verb takes. */
export type GlobalOptions = { config?: string; key?: string; json?: boolean; wait?: boolean; debug?: boolean };

/** What a verb works with; each part is opened when it is first asked for. */
export type Session = {
  readonly options: GlobalOptions;
  readonly terminal: Terminal;
  platform(): Promise<LoadedPlatform>;
  kit(): Promise<RecoveryKit>;
  store(): Promise<Store>;
  /** The second store. @throws ConfigInvalid where lifeboat.yaml has none */
  replica(): Promise<Store>;
  client(): Promise<Client & { connection: Connection }>;
  /** What is reached beside the store: tools, plans, the cluster. */
  tools(): Promise<Tools>;
  backends(): Promise<Backends>;
};

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => (opened ??= open());
}

/** The session of one command. What is heavy is imported when it is asked for, so that help and errors come at once. */
export function openSession(options: GlobalOptions): Session {
  const platform = once(() => loadPlatform(configPath(options.config)));
  const kit = once(() => loadKit(kitPath(options.key)));
  const store = once(async () => {
    const config = (await platform()).platform.store;
    const { openStore } = await import('../activities/open-store.ts');
    return await openStore(config);
  });
  const tools = once(async () => {
    const { openTools } = await import('../workers/open-backends.ts');
    return await openTools(await platform());
  });
  return {
    options,
    terminal: openTerminal({ json: options.json === true }),
    platform,
    kit,
    store,
    replica: once(async () => {
      const { openReplica } = await import('../activities/open-store.ts');
      return await openReplica((await platform()).platform);
    }),
    client: once(async () => {
      const { address, namespace } = (await platform()).platform.temporal;
      const { connectClient } = await import('../workers/temporal-connection.ts');
      return await connectClient(address, namespace);
    }),
    tools,
    backends: once(async () => ({ kit: await kit(), ...(await tools()), store: await store() })),
  };
}

/**
 * An error as a person reads it: what failed, whether anything changed, what to do next. `compensation` says what
 * became of the changes of the run that failed.
 */
export function describeFailure(view: FailureView, compensation: Compensation = 'none'): string[] {
  const changed = {
    none: { no: 'nothing', yes: 'yes', unknown: 'perhaps' }[view.changed],
    done: 'what the run had changed was put back',
    incomplete: 'yes, and not all of it could be put back: what was left behind is listed here',
  }[compensation];
  return [`✗ ${view.code}: ${view.message}`, `    changed: ${changed}`, `    ${view.hint}`];
}
