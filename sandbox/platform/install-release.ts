import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ReadSecretKey, SandboxSecret, SeedPod } from '../../charts/sandbox-recipe.ts';
import { checkout } from '../layout.ts';
import { type Progress, run, timed } from '../run.ts';
import { applyObjects, type ClusterOfSandbox, helmClusterArgs, kubectl } from './kubectl.ts';
import { execArgs, mainPod } from './main-pod.ts';
import { releaseLabel, type SandboxRelease } from './release.ts';

/** How a release is installed. */
export type InstallOptions = {
  /** `false` installs it empty. */
  readonly seed?: boolean;
};

/**
 * Installs a release with its Secret, waits until it is ready and fills it. Idempotent: a Secret that is there is kept,
 * and a release that was filled is not filled again.
 */
export async function installRelease(
  sandbox: ClusterOfSandbox,
  release: SandboxRelease,
  options: InstallOptions = {},
  progress: Progress = () => undefined,
): Promise<void> {
  await timed(progress, `${releaseLabel(release)} installed`, async () => {
    await applyObjects(sandbox, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: release.namespace } }]);
    await makeSecret(sandbox, release);
    await installChart(sandbox, release);
  });
  if (options.seed === false || (await isSeeded(sandbox, release))) return;
  await timed(progress, `${releaseLabel(release)} filled`, async () => {
    await seedRelease(sandbox, release);
    await markSeeded(sandbox, release);
  });
}

/** Fills a release with the data of its chart's seed. */
export async function seedRelease(sandbox: ClusterOfSandbox, release: SandboxRelease): Promise<void> {
  const { seed } = await sandboxPart<{ seed: (pod: SeedPod) => Promise<void> }>(release.chart, 'seed.ts');
  const pod = await mainPod(sandbox, release);
  await seed({
    run: async (command, stdin) =>
      await kubectl(sandbox, execArgs(pod, command, stdin !== undefined), {
        ...(stdin === undefined ? {} : { input: stdin }),
        timeoutMs: 300_000,
      }),
  });
}

/** A module of a chart's sandbox folder. */
export async function sandboxPart<T>(chart: string, file: string): Promise<T> {
  return (await import(pathToFileURL(join(checkout, 'charts', chart, 'sandbox', file)).href)) as T;
}

type SecretPart = {
  readonly secret: (read: ReadSecretKey) => SandboxSecret | undefined | Promise<SandboxSecret | undefined>;
};

async function makeSecret(sandbox: ClusterOfSandbox, { chart, namespace }: SandboxRelease): Promise<void> {
  const part = await sandboxPart<SecretPart>(chart, 'secret.ts');
  const secret = await part.secret(async (name, key) => await readSecretKey(sandbox, namespace, name, key));
  if (secret === undefined) return;
  const there = await kubectl(sandbox, [
    'get',
    'secret',
    secret.name,
    '-n',
    namespace,
    '--ignore-not-found',
    '-o',
    'name',
  ]);
  if (there !== '') return;
  await applyObjects(sandbox, [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret.name, namespace }, stringData: secret.data },
  ]);
}

async function installChart(
  sandbox: ClusterOfSandbox,
  { chart, namespace, name, values }: SandboxRelease,
): Promise<void> {
  await forgetBrokenOff(sandbox, namespace, name);
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-chart-'));
  try {
    // Packed from a copy: `helm dependency build` writes into the chart, and two may run at once.
    for (const folder of [chart, 'common'])
      await cp(join(checkout, 'charts', folder), join(directory, folder), { recursive: true });
    await run(sandbox.tools.helm, ['package', '--dependency-update', join(directory, chart), '-d', directory], {
      timeoutMs: 120_000,
    });
    const archive = (await readdir(directory)).find((file) => file.startsWith(`${chart}-`) && file.endsWith('.tgz'));
    if (archive === undefined) throw new Error(`pack chart ${chart}: helm wrote no archive`);
    await run(
      sandbox.tools.helm,
      [
        ...['upgrade', '--install', name, join(directory, archive), '-n', namespace, ...helmClusterArgs(sandbox)],
        ...['-f', join(checkout, 'charts', chart, 'sandbox', 'values.yaml'), '-f', '-', '--wait', '--timeout', '300s'],
      ],
      { input: JSON.stringify(values ?? {}), timeoutMs: 330_000 },
    ).catch(async (error: unknown) => {
      throw new Error(
        `${error instanceof Error ? error.message : String(error)}${await podStates(sandbox, namespace, name)}`,
      );
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Helm refuses a release on which a killed helm was at work ("another operation is in progress"). The record of such an
 * operation goes, what it made stays and is taken over by the next. Nobody else installs these releases.
 */
async function forgetBrokenOff(sandbox: ClusterOfSandbox, namespace: string, name: string): Promise<void> {
  const selector = `owner=helm,name=${name},status in (pending-install,pending-upgrade,pending-rollback)`;
  await kubectl(sandbox, ['delete', 'secret', '-n', namespace, '-l', selector, '--ignore-not-found']);
}

/** The pods of a release as kubectl shows them: Helm says that it waited, they say for what. */
async function podStates(sandbox: ClusterOfSandbox, namespace: string, name: string): Promise<string> {
  const selector = `app.kubernetes.io/instance=${name}`;
  const pods = await kubectl(sandbox, ['get', 'pods', '-n', namespace, '-l', selector, '--no-headers']).catch(() => '');
  return pods.trim() === '' ? '' : `; its pods: ${pods.trim().replaceAll(/ {2,}/g, ' ').replaceAll('\n', '; ')}`;
}

/** On the namespace, so that the mark goes with the data. */
function seedMark({ name }: SandboxRelease): string {
  return `sandbox.lifeboat.local/seeded-${name}`;
}

async function isSeeded(sandbox: ClusterOfSandbox, release: SandboxRelease): Promise<boolean> {
  const text = await kubectl(sandbox, ['get', 'namespace', release.namespace, '-o', 'json']);
  const { metadata } = JSON.parse(text) as { metadata: { annotations?: Record<string, string> } };
  return metadata.annotations?.[seedMark(release)] !== undefined;
}

async function markSeeded(sandbox: ClusterOfSandbox, release: SandboxRelease): Promise<void> {
  await kubectl(sandbox, ['annotate', 'namespace', release.namespace, '--overwrite', `${seedMark(release)}=true`]);
}

async function readSecretKey(sandbox: ClusterOfSandbox, namespace: string, name: string, key: string): Promise<string> {
  const text = await kubectl(sandbox, ['get', 'secret', name, '-n', namespace, '-o', 'json']);
  const value = (JSON.parse(text) as { data?: Record<string, string> }).data?.[key];
  if (value === undefined) throw new Error(`read Secret ${namespace}/${name}: it has no key ${key}`);
  return Buffer.from(value, 'base64').toString('utf8');
}
