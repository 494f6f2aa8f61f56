import { randomUUID } from 'node:crypto';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { isMap, isSeq, parseDocument } from 'yaml';
import { z } from 'zod';
import { failure, type LifeboatFailure } from '../../model/failures.ts';
import { withChartFile } from './chart-file.ts';
import type { ClusterAccess } from './kubectl.ts';
import { lastLine, type ProcessResult, runProcess } from './process.ts';

const ListedRelease = z.looseObject({
  name: z.string(),
  namespace: z.string(),
  revision: z.coerce.number(),
  status: z.string(),
  chart: z.string(),
  app_version: z.string().default(''),
});

/** A release as `helm list` shows it. */
export type ListedRelease = z.infer<typeof ListedRelease>;

export async function helm(
  access: ClusterAccess,
  args: readonly string[],
  options: {
    input?: string;
    signal?: AbortSignal | undefined;
    timeoutMs?: number;
    env?: Readonly<Record<string, string>>;
  } = {},
): Promise<ProcessResult> {
  const cluster = [
    ...(access.kubeconfig === undefined ? [] : ['--kubeconfig', access.kubeconfig]),
    ...(access.context === undefined ? [] : ['--kube-context', access.context]),
  ];
  return await runProcess({ file: access.helm, args: [...args, ...cluster], ...options });
}

/** Runs helm to its end and returns its stdout. `about` begins the failure. @throws as `helmFailure` */
export async function helmOrFail(
  access: ClusterAccess,
  about: string,
  args: readonly string[],
  options: Parameters<typeof helm>[2],
  changed: 'no' | 'unknown' = 'no',
): Promise<string> {
  const result = await helm(access, args, options);
  if (result.exitCode !== 0) throw helmFailure(about, result.stderr, changed);
  return result.stdout;
}

/** `helm list` of a namespace: the newest revision of each release that matches, whatever became of it. */
async function listNewest(
  access: ClusterAccess,
  about: string,
  namespace: string,
  filter: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ListedRelease[]> {
  const states = ['--deployed', '--failed', '--pending', '--uninstalling'];
  const args = ['list', '-n', namespace, ...filter, ...states, '--max', '0', '-o', 'json'];
  const result = await helm(access, args, { signal, timeoutMs: 30_000 });
  if (result.exitCode !== 0) throw helmFailure(about, result.stderr, 'no');
  return z.array(ListedRelease).parse(JSON.parse(result.stdout));
}

/** The newest revision of a release, or undefined where Helm knows none. @throws ClusterUnreachable, ClusterDenied */
export async function readRelease(
  access: ClusterAccess,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<ListedRelease | undefined> {
  return (await listNewest(access, `read release ${name}`, namespace, ['--filter', `^${name}$`], signal))[0];
}

/** Reads a release as `readRelease` does. @throws ClusterUnreachable, ClusterDenied */
export type ReleaseReader = (namespace: string, name: string) => Promise<ListedRelease | undefined>;

/**
 * A reader for one pass over many releases: Helm is asked about each namespace once, when it is first needed, and what it says
 * then holds for the pass.
 */
export function releaseReader(access: ClusterAccess, signal?: AbortSignal): ReleaseReader {
  const namespaces = new Map<string, Promise<ListedRelease[]>>();
  return async (namespace, name) => {
    const listed =
      namespaces.get(namespace) ?? listNewest(access, `read the releases of ${namespace}`, namespace, [], signal);
    namespaces.set(namespace, listed);
    listed.catch(() => namespaces.delete(namespace));
    return (await listed).find((release) => release.name === name);
  };
}

/** Values, rendered manifest and rendered hooks of the newest revision, as Helm recorded them. */
export async function readRecord(
  access: ClusterAccess,
  namespace: string,
  name: string,
  signal?: AbortSignal,
): Promise<{ values: string; manifest: string; hooks: string }> {
  const between = `# ${randomUUID()}\n`;
  const template = `{{ .Release.Manifest }}\n${between}{{ range .Release.Hooks }}---\n{{ .Manifest }}\n{{ end }}`;
  const [values = '', rendered = ''] = await Promise.all(
    [
      ['get', 'values', name, '-n', namespace, '-o', 'json'],
      ['get', 'all', name, '-n', namespace, '--template', template],
    ].map(async (args) => {
      return await helmOrFail(access, `read release ${name}`, args, { signal, timeoutMs: 30_000 });
    }),
  );
  const [manifest = '', hooks = ''] = rendered.split(between);
  return { values, manifest, hooks };
}

/** Renders a chart as an install would, without touching the cluster. */
export async function renderChart(
  access: ClusterAccess,
  of: { chart: string; namespace: string; name: string; values: string; signal?: AbortSignal | undefined },
): Promise<string> {
  return await helmOrFail(
    access,
    `render chart ${of.chart}`,
    ['template', of.name, of.chart, '-n', of.namespace, '-f', '-'],
    { input: of.values, signal: of.signal, timeoutMs: 60_000 },
  );
}

/**
 * Renders the upgrade of a release as the API server would be given it, or the installation of one that is not there;
 * hooks left out. Charts that look at what is there do so; changes nothing.
 */
export async function renderUpgrade(
  access: ClusterAccess,
  of: { archive: string; namespace: string; name: string; values: string; signal?: AbortSignal | undefined },
): Promise<string> {
  const text = await helmOrFail(
    access,
    `render the upgrade of ${of.name}`,
    ['upgrade', '--install', of.name, of.archive, '-n', of.namespace, '-f', '-', '--dry-run=server', '-o', 'json'],
    { input: of.values, signal: of.signal, timeoutMs: 120_000 },
  );
  return z.looseObject({ manifest: z.string() }).parse(JSON.parse(text)).manifest;
}

/** Whether a chart is a folder or an archive: its version is its own, whatever is asked for. */
export const isLocalChart = (reference: string): boolean => /^[/.]/.test(reference);

/** How long the packing of a chart may take, its dependencies included. */
const packTimeoutMs = 120_000;

/** Packs a chart with its dependencies into `directory`, in its version where it is pulled; returns the path of the archive. */
export async function packChart(
  access: ClusterAccess,
  { reference, version }: { readonly reference: string; readonly version: string },
  directory: string,
  signal?: AbortSignal,
): Promise<string> {
  const local = isLocalChart(reference);
  const about = `pack chart ${reference}`;
  if (local && reference.endsWith('.tgz')) await cp(reference, join(directory, basename(reference)));
  else if (local) {
    const copy = join(directory, 'chart');
    await cp(reference, copy, { recursive: true });
    await fetchDependencies(access, about, copy, reference, signal);
    await helmOrFail(access, about, ['package', copy, '-d', directory], { signal, timeoutMs: packTimeoutMs });
    await rm(copy, { recursive: true });
  } else
    await helmOrFail(access, about, ['pull', reference, '--version', version, '-d', directory], {
      signal,
      timeoutMs: packTimeoutMs,
    });
  const archive = (await readdir(directory)).find((file) => file.endsWith('.tgz'));
  if (archive === undefined) throw failure('HelmFailed', { message: `pack chart ${reference}: helm wrote no archive` });
  return join(directory, archive);
}

/** Puts the dependencies of a chart's copy into it, where they are not all there. */
async function fetchDependencies(
  access: ClusterAccess,
  about: string,
  copy: string,
  original: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const file = join(copy, 'Chart.yaml');
  const text = await readFile(file, 'utf8');
  const chart = parseDocument(text);
  const there = await readdir(join(copy, 'charts')).catch(() => []);
  const dependencies = chart.get('dependencies');
  if (!isSeq(dependencies)) return;
  let missing = false;
  for (const item of dependencies.items) {
    if (!isMap(item)) continue;
    const name = String(item.get('name'));
    missing ||= !there.some((entry) => entry === name || entry.startsWith(`${name}-`));
    const repository = item.get('repository');
    // A path is meant from where the chart lies, not from its copy.
    if (typeof repository === 'string' && repository.startsWith('file://'))
      item.set('repository', `file://${resolve(original, repository.slice('file://'.length))}`);
  }
  if (!missing) return;
  const lockFile = join(copy, 'Chart.lock');
  const lock = await readFile(lockFile, 'utf8').catch(() => undefined);
  await writeFile(file, String(chart));
  await helmOrFail(access, about, ['dependency', 'update', copy], { signal, timeoutMs: packTimeoutMs });
  await writeFile(file, text);
  if (lock === undefined) await rm(lockFile, { force: true });
  else await writeFile(lockFile, lock);
}

/**
 * Installs or upgrades a release from a chart archive. Readiness is not waited for here: what serves and what is
 * fenced is the recovery's business. Values go by stdin.
 */
export async function installChart(
  access: ClusterAccess,
  of: { archive: Uint8Array; namespace: string; name: string; values: string; signal?: AbortSignal | undefined },
): Promise<void> {
  await withChartFile(of.archive, async (chart) =>
    helmOrFail(
      access,
      `install ${of.name}`,
      [
        ...['upgrade', '--install', of.name, chart, '-n', of.namespace, '--create-namespace', '-f', '-'],
        // Helm 4 applies server-side: the fields that a fence of ours changed are taken back.
        ...((await helmVersion(access)).startsWith('4.') ? ['--force-conflicts'] : []),
      ],
      { input: of.values, signal: of.signal, timeoutMs: 300_000 },
      'unknown',
    ),
  );
}

/** Goes back to a revision, as the undo of an upgrade. */
export async function rollBackRelease(
  access: ClusterAccess,
  namespace: string,
  name: string,
  revision: number,
  signal?: AbortSignal,
): Promise<void> {
  await helmOrFail(
    access,
    `roll back ${name}`,
    ['rollback', name, String(revision), '-n', namespace],
    { signal, timeoutMs: 150_000 },
    'unknown',
  );
}

/** The oldest Helm whose commands are used. */
const oldestHelm = [3, 13] as const;

/** What is wrong with a version of Helm, or undefined where it fits. */
export function helmTooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const fits = major > oldestHelm[0] || (major === oldestHelm[0] && minor >= oldestHelm[1]);
  return fits ? undefined : `version ${version} is too old; ${oldestHelm.join('.')} is the oldest that fits`;
}

/** The version of the helm that is called, `4.3.1`. @throws ToolMissing */
export async function helmVersion(access: Pick<ClusterAccess, 'helm'>): Promise<string> {
  const result = await runProcess({
    file: access.helm,
    args: ['version', '--template', '{{.Version}}'],
    timeoutMs: 10_000,
  });
  return result.stdout.trim().replace(/^v/, '');
}

export function helmFailure(verb: string, stderr: string, changed: 'no' | 'unknown'): LifeboatFailure {
  const line = lastLine(stderr.replace(/^(WARNING|W[0-9]{4}).*$/gm, ''));
  if (/another operation \(install\/upgrade\/rollback\) is in progress/.test(stderr))
    return failure('HelmBusy', { message: `${verb}: ${line}` });
  if (/cluster unreachable|connection refused|no such host|i\/o timeout/i.test(stderr))
    return failure('ClusterUnreachable', { message: `${verb}: ${line}`, changed });
  // An admission policy that refuses an object is no question of rights.
  if (/forbidden|unauthorized/i.test(stderr) && !/denied (the )?request/i.test(stderr))
    return failure('ClusterDenied', { message: `${verb}: ${line}`, changed });
  return failure('HelmFailed', { message: `${verb}: ${line}`, changed });
}
