import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TemporalAddress } from '../../sandbox/temporal.ts';
import { type LocalTemporal, startLocalTemporal } from '../../workers/local-temporal.ts';

/** A Temporal server of a test's own, which it may stop: the sandbox's serves the other tests beside it. */
export type OwnTemporal = TemporalAddress & {
  /** Ends the server; its database stays. */
  stop(): Promise<void>;
  /** Starts it again at the same address where it is stopped, `fresh` with an empty database. */
  start(of?: { fresh: boolean }): Promise<void>;
  /** Ends it for good, with its database. */
  close(): Promise<void>;
};

/** Starts a server with an empty database. */
export async function startOwnTemporal(): Promise<OwnTemporal> {
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-temporal-'));
  const databaseFile = join(directory, 'temporal.db');
  const start = async (port?: number): Promise<LocalTemporal> =>
    await startLocalTemporal({ ...(port === undefined ? {} : { port }), databaseFile, progress: () => undefined });
  let running: LocalTemporal | undefined = await start();
  const { address, ui } = running;
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  return {
    address,
    ui,
    stop,
    start: async ({ fresh } = { fresh: false }) => {
      if (fresh) {
        await stop();
        await rm(directory, { recursive: true, force: true });
        await mkdir(directory);
      }
      running ??= await start(Number(address.split(':').at(-1)));
    },
    close: async () => {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
