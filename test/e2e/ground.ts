import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandResult, lifeboat, startWorkerProcess, type WorkerProcess } from '../../demo/command.ts';
import { makeSetting, type Setting, type SettingOptions } from '../../demo/setting.ts';
import type { RunResult } from '../../model/outcome.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { installPlatform } from '../../sandbox/platform/install-platform.ts';
import { kubectl } from '../../sandbox/platform/kubectl.ts';
import { releaseLabel, type SandboxRelease, smallPlatform } from '../../sandbox/platform/release.ts';
import { readSandbox, type Sandbox } from '../../sandbox/sandbox.ts';
import type { TemporalAddress } from '../../sandbox/temporal.ts';
import { endLeftRuns, removeLeftLocks } from './left-runs.ts';
import { replayRuns } from './replay-runs.ts';
import { makeTemporalNamespace } from './temporal-client.ts';

/** What a run of the command line ended with. */
export type Ran = CommandResult & { readonly result: RunResult & { workflowId: string; runId: string } };

/** The ground of an end-to-end test: a real cluster with two releases, a store, keys, and Lifeboat as its users call it. */
export type Ground = {
  readonly sandbox: Sandbox;
  readonly releases: readonly SandboxRelease[];
  readonly names: { readonly postgresql: string; readonly redis: string };
  readonly namespace: string;
  /** Of Temporal: one of the test's own, whose tasks no other worker takes. */
  readonly temporalNamespace: string;
  readonly setting: Setting;
  /** Starts the worker, ending the one before. */
  startWorker(env?: Readonly<Record<string, string>>): Promise<WorkerProcess>;
  /** Runs `lifeboat … --json`. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>;
  /** Runs kubectl against the sandbox. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Ends what the ground started, replays its runs and removes its namespaces, whose probes would cost the next test. */
  close(): Promise<void>;
};

const folder = join(import.meta.dirname, '..', '..', '.lifeboat', 'tests');

/** The sandbox of `npm test`, or the one that runs. @throws where there is none */
export async function openSandbox(): Promise<Sandbox> {
  const given = process.env['LIFEBOAT_TEST_SANDBOX'];
  const sandbox = given === undefined ? await readSandbox() : (JSON.parse(given) as Sandbox);
  if (sandbox === undefined) throw new Error('the sandbox does not run: npm run sandbox -- up');
  return sandbox;
}

/** What a ground is made with: the setting of its platform, and a namespace of Temporal that is made when missing. */
export type GroundOptions = Partial<SettingOptions> & {
  readonly temporalNamespace?: string;
  /** A server of the test's own in place of the sandbox's. */
  readonly temporal?: TemporalAddress;
  /** `false` leaves the installation of the releases to the test. */
  readonly install?: boolean;
};

/**
 * Opens the ground of a test file: its platform of two releases, installed afresh. What a run of the file that was killed left is
 * removed, runs and locks included: a release caught half way would decide how the next run ends.
 */
export async function openGround(
  name: string,
  { temporalNamespace = `e2e-${name}`, temporal, install = true, ...options }: GroundOptions = {},
): Promise<Ground> {
  const since = new Date();
  const opened = await openSandbox();
  const sandbox = temporal === undefined ? opened : { ...opened, temporal };
  await makeTemporalNamespace(sandbox.temporal.address, temporalNamespace);
  await endLeftRuns(sandbox.temporal.address, temporalNamespace);
  const releases = options.releases ?? smallPlatform(`e2e-${name}`);
  const namespaces = [...new Set(releases.map((release) => release.namespace))];
  await deleteNamespaces(sandbox, namespaces);
  await removeLeftLocks(sandbox, namespaces);
  if (install) await installPlatform(sandbox, releases);
  await mkdir(folder, { recursive: true });
  const setting = await makeSetting(sandbox, join(folder, name), {
    platform: name,
    bucket: `e2e-${name}-${String(Date.now())}`,
    ...options,
    releases,
    overrides: { temporal: { address: sandbox.temporal.address, namespace: temporalNamespace }, ...options.overrides },
  });
  let worker: WorkerProcess | undefined;
  const named = (chart: string): string => {
    const found = releases.find((release) => release.chart === chart);
    return found === undefined ? '' : releaseLabel(found);
  };
  return {
    sandbox,
    releases,
    names: { postgresql: named('postgresql'), redis: named('redis') },
    namespace: namespaces[0] ?? '',
    temporalNamespace,
    setting,
    startWorker: async (env = {}) => {
      await worker?.stop();
      worker = await startWorkerProcess({ ...setting, env: { ...setting.env, ...env } });
      return worker;
    },
    run: async (args, env = {}) => {
      const ran = await lifeboat({ ...setting, env: { ...setting.env, ...env } }, [...args, '--json']);
      return { ...ran, result: parse(ran) };
    },
    kubectl: async (args, input) => await kubectl(sandbox, args, input === undefined ? {} : { input }),
    close: async () => {
      await worker?.stop('SIGKILL').catch(() => undefined);
      await replayRuns({ address: sandbox.temporal.address, namespace: temporalNamespace, since });
      await deleteNamespaces(sandbox, namespaces);
    },
  };
}

function parse(ran: CommandResult): Ran['result'] {
  try {
    return JSON.parse(ran.stdout) as Ran['result'];
  } catch {
    throw new Error(
      `the command printed no JSON (exit ${String(ran.exitCode)}): ${ran.stdout.slice(0, 500)} ${ran.stderr.slice(-1_000)}`,
    );
  }
}
