import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool } from '../workers/tools/find-tool.ts';
import { runningDaemon, startDaemon, stopDaemon, waitForDaemon } from './daemon.ts';
import { addresses, layout } from './layout.ts';
import { type Progress, run } from './run.ts';

/** Where a Temporal server answers. */
export type TemporalAddress = { readonly address: string; readonly ui: string };

/** How the sandbox's Temporal is started. */
export type TemporalOptions = {
  /** `fresh` begins with an empty database, `kept` (default) with the one that is there. */
  readonly database?: 'fresh' | 'kept';
  /** Search attributes of the namespace, name → type; they act when the database is new. */
  readonly searchAttributes?: Readonly<Record<string, string>>;
};

/** Addresses of the sandbox's Temporal, running or not. */
export const temporalAddress: TemporalAddress = {
  address: `127.0.0.1:${String(addresses.temporalPort)}`,
  ui: `http://127.0.0.1:${String(addresses.temporalUiPort)}`,
};

/** Starts Temporal's dev server with its UI and waits until both answer. One that runs is kept, unless `fresh`. */
export async function startTemporal(
  options: TemporalOptions = {},
  progress: Progress = () => undefined,
): Promise<TemporalAddress> {
  const at = layout();
  const temporal = await findTool('temporal', progress);
  if (options.database === 'fresh') {
    await stopTemporal();
    await rm(at.temporal, { recursive: true, force: true });
  }
  if ((await runningDaemon(at, 'temporal')) === undefined) {
    await mkdir(at.temporal, { recursive: true });
    await startDaemon(at, {
      name: 'temporal',
      file: temporal,
      ports: [addresses.temporalPort, addresses.temporalUiPort].map((port) => ({ host: '127.0.0.1', port })),
      args: [
        ...[
          'server',
          'start-dev',
          '--ip',
          '127.0.0.1',
          '--port',
          String(addresses.temporalPort),
          '--ui-port',
          String(addresses.temporalUiPort),
        ],
        ...[
          '--db-filename',
          join(at.temporal, 'temporal.db'),
          '--log-level',
          'warn',
          '--dynamic-config-value',
          'frontend.WorkflowPauseEnabled=true',
        ],
        ...Object.entries(options.searchAttributes ?? {}).flatMap(([name, type]) => [
          '--search-attribute',
          `${name}=${type}`,
        ]),
      ],
    });
  }
  const answers = async (): Promise<boolean> => {
    await run(temporal, ['operator', 'cluster', 'health', '--address', temporalAddress.address], { timeoutMs: 5_000 });
    return (await fetch(temporalAddress.ui)).ok;
  };
  await waitForDaemon(at, 'temporal', answers, 60_000);
  return temporalAddress;
}

/** Ends Temporal; its database stays. */
export async function stopTemporal(): Promise<void> {
  await stopDaemon(layout(), 'temporal');
}
