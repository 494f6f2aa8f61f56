import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatDuration } from '../model/duration.ts';
import type { RunResult } from '../model/outcome.ts';
import { layout } from '../sandbox/layout.ts';
import { installPlatform } from '../sandbox/platform/install-platform.ts';
import { demoPlatform, type SandboxRelease } from '../sandbox/platform/release.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { startTemporal, stopTemporal } from '../sandbox/temporal.ts';
import { type LocalTemporal, startLocalTemporal } from '../workers/local-temporal.ts';
import { lifeboat, startWorkerProcess } from './command.ts';
import { type DamageVerdict, tryDamaged } from './damage.ts';
import { type Destroyed, destroyPlatform } from './disaster.ts';
import { type DemoOptions, openGround, withOfficialImages } from './ground.ts';
import { judgeLedgers, type LedgerVerdict, startWriters } from './ledger.ts';
import { takeNamespaces } from './namespaces.ts';
import { describeDemo } from './report.ts';
import { makeSetting, type Setting } from './setting.ts';
import { type UpgradeVerdict, upgraded, upgradeUnderWriter } from './upgrade.ts';

/** A run of the command line in the report. */
export type DemoRun = RunResult & { readonly workflowId: string; readonly runId: string };

/** What the demo measured; printed by `--json` as it is. */
export type DemoReport = {
  readonly outcome: 'complete' | 'failed';
  readonly startedAt: string;
  readonly durationMs: number;
  /** Milliseconds of each step. */
  readonly steps: Readonly<Record<string, number>>;
  readonly backup: DemoRun;
  /** `temporal`: whether its server and history went too; one of the user's stays. */
  readonly destroyed: Destroyed & { readonly temporal: boolean };
  readonly recovery: DemoRun;
  readonly ledgers: readonly LedgerVerdict[];
  readonly damage: DamageVerdict;
  /** Of the recovered platform: the site and its database once more, in scratch namespaces. */
  readonly drill: DemoRun;
  /** One database to another major version. */
  readonly upgrade: UpgradeVerdict;
  readonly temporalUi: string | null;
  readonly directory: string;
};

const folder = join(import.meta.dirname, '..', '.lifeboat', 'demo');
const temporalFile = join(import.meta.dirname, '..', '.lifeboat', 'demo-temporal.db');

/** Runs the demo; returns its exit code: 0 only where everything that it claims was measured and held. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const started = Date.now();
  const steps: Record<string, number> = {};
  const say = (line: string): void => {
    process.stderr.write(`${formatDuration(Date.now() - started).padStart(7)}  ${line}\n`);
  };
  const step = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
    say(`▸ ${title}`);
    const since = Date.now();
    try {
      return await work();
    } finally {
      steps[title] = Date.now() - since;
      say(`  ${title}: ${formatDuration(Date.now() - since)}`);
    }
  };
  const detail = (line: string): void => {
    say(`    ${line}`);
  };

  const sandbox = await step('bring up the ground', () => openGround(options, detail));
  const releases = options.context === undefined ? demoPlatform : await withOfficialImages(demoPlatform);
  await step('make room', () => takeNamespaces(sandbox, releases, detail));
  await step('install eight releases with their data', () => installPlatform(sandbox, releases, {}, detail));
  const temporal = await step('boot Temporal', () => bootTemporal(options, detail));
  const port = Number(temporal.address.split(':').at(-1));
  const setting = await step('make the store, the recovery kit and lifeboat.yaml', () =>
    prepare(sandbox, releases, temporal.address, options),
  );
  const worker = await startWorkerProcess(setting);
  const writers = await step('start clients that keep writing', () => startWriters(sandbox, releases));
  await lifeboat(setting, ['doctor'], detail);
  const before = writers.map(({ writer }) => writer.acknowledgedCount);
  const backup = await step('back up the platform in four tiers, under write load', () =>
    runJson(setting, ['backup', '--json'], detail),
  );
  const ledgersAt = await Promise.all(
    writers.map(async ({ release, writer }, index) => ({
      release,
      acknowledgedBefore: before[index] ?? 0,
      acknowledgedInAll: (await writer.stop()).acknowledged.length,
    })),
  );
  if (backup.outcome !== 'complete')
    throw new Error(`the backup ended ${backup.outcome}: lifeboat report ${backup.workflowId}`);

  const incidentAt = new Date().toISOString();
  await worker.stop('SIGKILL');
  const isOurs = options.temporal === undefined;
  const what = `namespaces, volumes${isOurs ? ', Temporal and its history' : ''}`;
  const destroyed = await step(`destroy it: ${what}`, async () => {
    await temporal.stop();
    await rm(temporalFile, { force: true });
    return { ...(await destroyPlatform(sandbox, releases)), temporal: isOurs };
  });

  const rescue = await rescueSetting(setting);
  const recovery = await step('recover from the bucket and the recovery kit alone', () =>
    runJson(
      rescue,
      [
        'recover',
        '--platform',
        '--local',
        '--directory',
        join(rescue.directory, 'local'),
        '--store',
        setting.storeUrl,
        '--kubeconfig',
        sandbox.kubeconfig,
        '--context',
        sandbox.context,
        '--incident-at',
        incidentAt,
        '--on-failure',
        'abort',
        '--json',
      ],
      detail,
    ),
  );
  const ledgers = await step('ask the writers’ ledgers', () => judgeLedgers(sandbox, ledgersAt));
  const damage = await step('damage a copy of a recovery point', () => tryDamaged(sandbox, setting, rescue));
  const { drill, upgrade } = await withTemporal(setting, await bootTemporal(options, detail, port), async () => ({
    drill: await step('drill the site and its database, cut off from what is live', () =>
      runJson(setting, ['drill', 'shop-web/wordpress', '--json'], detail),
    ),
    upgrade: await step(`upgrade PostgreSQL to ${upgraded.tag}, blue-green, under a writer`, () =>
      upgradeUnderWriter(sandbox, upgraded.release, (args) => runJson(setting, args, detail)),
    ),
  }));
  const holds =
    recovery.outcome === 'complete' &&
    drilledIn(drill, options) &&
    upgrade.run.outcome === 'complete' &&
    upgrade.consistent &&
    destroyed.volumesLeft === 0 &&
    ledgers.every((ledger) => ledger.consistent) &&
    damage.refused;
  const ui = options.keep ? await keep(setting, rescue) : null;
  const report: DemoReport = {
    outcome: holds ? 'complete' : 'failed',
    startedAt: new Date(started).toISOString(),
    durationMs: Date.now() - started,
    steps,
    backup,
    destroyed,
    recovery,
    ledgers,
    damage,
    drill,
    upgrade,
    temporalUi: ui,
    directory: setting.directory,
  };
  await writeFile(join(setting.directory, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : `${describeDemo(report)}\n`);
  return holds ? 0 : 1;
}

/** Whether the drill held. A cluster of the user's may enforce no network policies; the refusal is in the report then. */
function drilledIn(drill: DemoRun, { context }: DemoOptions): boolean {
  if (drill.outcome === 'complete') return drill.drill?.isolated === 'enforced';
  return context !== undefined && drill.failure?.code === 'NotIsolated';
}

/** A Temporal server of the demo's own, or the user's, which is left alone. */
async function bootTemporal(
  options: DemoOptions,
  progress: (line: string) => void,
  port?: number,
): Promise<LocalTemporal> {
  if (options.temporal !== undefined) return { address: options.temporal, ui: '', stop: () => Promise.resolve() };
  await mkdir(dirname(temporalFile), { recursive: true });
  await rm(temporalFile, { force: true });
  const temporal = await startLocalTemporal({
    databaseFile: temporalFile,
    progress,
    ...(port === undefined ? {} : { port }),
  });
  progress(`Temporal UI  ${temporal.ui}`);
  return temporal;
}

/** Works with a worker on a server, and ends both. */
async function withTemporal<T>(setting: Setting, temporal: LocalTemporal, work: () => Promise<T>): Promise<T> {
  const worker = await startWorkerProcess(setting);
  try {
    return await work();
  } finally {
    await worker.stop();
    await temporal.stop();
  }
}

async function prepare(
  sandbox: Sandbox,
  releases: readonly SandboxRelease[],
  temporalAddress: string,
  options: DemoOptions,
): Promise<Setting> {
  const store = options.store === undefined ? {} : { storeUrl: options.store };
  return await makeSetting(sandbox, folder, {
    platform: 'shop',
    releases,
    temporalAddress,
    bucket: `shop-dr-${String(Math.floor(Date.now() / 1000))}`,
    ...store,
    releaseOverrides: { 'shop-queue/rabbitmq': { allowDowntime: '120s' } },
  });
}

/** Runs a command that prints one JSON document; what it prints is its report, whatever its exit code. */
async function runJson(setting: Setting, args: readonly string[], progress: (line: string) => void): Promise<DemoRun> {
  const { stdout, stderr, exitCode } = await lifeboat(setting, args, progress);
  if (stdout.trim() === '')
    throw new Error(
      `lifeboat ${args.join(' ')} ended with ${String(exitCode)}: ${stderr.trim().split('\n').slice(-3).join(' ')}`,
    );
  const document = JSON.parse(stdout) as DemoRun & { failure?: { message: string } };
  if (!Array.isArray(document.releases))
    throw new Error(`lifeboat ${args[0] ?? ''}: ${document.failure?.message ?? stdout}`);
  return document;
}

/** Another folder with nothing in it but the recovery kit, as on a laptop far away. */
async function rescueSetting(setting: Setting): Promise<Setting> {
  const directory = join(setting.directory, 'rescue');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const kitPath = join(directory, 'recovery-kit.json');
  await cp(setting.kitPath, kitPath);
  const { LIFEBOAT_CONFIG: _, ...env } = setting.env;
  return { ...setting, directory, kitPath, env: { ...env, LIFEBOAT_KEY: kitPath } };
}

/** Starts Temporal again on the history of the recovery, and writes what a shell needs to go on with the platform. */
async function keep(setting: Setting, rescue: Setting): Promise<string> {
  await stopTemporal();
  await rm(layout().temporal, { recursive: true, force: true });
  await mkdir(layout().temporal, { recursive: true });
  // With what the server had not folded into its file yet.
  for (const suffix of ['', '-wal', '-shm']) {
    const file = `temporal.db${suffix}`;
    await cp(join(rescue.directory, 'local', file), join(layout().temporal, file)).catch((error: unknown) => {
      if (suffix === '') throw error;
    });
  }
  const { ui } = await startTemporal({ database: 'kept' });
  await writeFile(
    join(setting.directory, 'env'),
    Object.entries(setting.env)
      .map(([name, value]) => `export ${name}='${value}'\n`)
      .join(''),
    { mode: 0o600 },
  );
  return ui;
}
