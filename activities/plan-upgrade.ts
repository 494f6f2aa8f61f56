import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { z } from 'zod';
import { type BoundPlan, type BoundSummary, summarizeBoundPlan } from '../model/bound-plan.ts';
import { splitChart } from '../model/chart-name.ts';
import { durationMs, formatDuration } from '../model/duration.ts';
import { type FailureCode, failure } from '../model/failures.ts';
import type { RunPlan, UpgradeResult } from '../model/outcome.ts';
import { PlanUpgrade, type UpgradeStrategy, writesUnproven } from '../model/recovery-plan.ts';
import type { Artifact } from '../model/recovery-point.ts';
import { greenOf, releaseTitle } from '../model/release-name.ts';
import { canonicalBytes } from '../transfer/keys.ts';
import { writeBytes } from '../transfer/write-artifact.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { bindRelease, resolveRelease } from './binding/bind-release.ts';
import { isLocalChart, packChart, readRecord, renderUpgrade } from './clients/helm.ts';
import { tryManifest } from './clients/kubectl.ts';
import { describeChange, immutableChanges } from './facts/immutable.ts';
import { type ManifestObject, parseManifest } from './facts/manifest.ts';
import { forecastGap } from './forecast-gap.ts';
import { type PlannedGreen, planGreen } from './plan-green.ts';
import { requireConfig } from './require-config.ts';
import { writeRunDocument } from './run-record.ts';
import { mergeValues, parseValues, type Values } from './upgrade-values.ts';

/** What an upgrade is asked for. */
export type UpgradeRequest = {
  release: string;
  strategy: UpgradeStrategy | null;
  chart: string | null;
  version: string | null;
  values: Values;
  maxWriteGap?: string | undefined;
  soak?: string | undefined;
  configDigest: string | null;
};

/** A reason against an upgrade that was found before anything was changed. */
export type UpgradeProblem = { readonly code: FailureCode; readonly message: string };

/** What an upgrade is going to do. */
export type PlannedUpgrade = {
  readonly summary: BoundSummary;
  readonly upgrade: Pick<UpgradeResult, 'strategy' | 'from' | 'to'>;
  /** Of blue-green. */
  readonly blueGreen?: { readonly maxWriteGapMs: number; readonly soakMs: number };
  /** Components whose data are compared afterwards, and those that are not, with why. */
  readonly compared: readonly string[];
  readonly notCompared: readonly { component: string; reason: string }[];
  readonly plan: RunPlan;
  readonly problems: readonly UpgradeProblem[];
};

/** The digest that is approved, of everything that the upgrade depends on. */
export function upgradeDigest(
  bound: BoundPlan,
  of: { chart: Pick<Artifact, 'plainSha256'>; values: string; strategy: string },
): string {
  const plain = {
    release: releaseTitle(bound.release),
    revision: bound.revision,
    plan: bound.planDigest,
    workloads: bound.workloads,
    strategy: of.strategy,
    chart: of.chart.plainSha256,
    values: createHash('sha256').update(of.values).digest('hex'),
  };
  return createHash('sha256').update(canonicalBytes(plain)).digest('hex');
}

/** Plans the upgrade of one release and freezes its chart and values in the store. Changes nothing else. */
export async function planUpgrade(
  backends: Backends,
  request: UpgradeRequest,
  run: { runId: string; attempt: number },
): Promise<PlannedUpgrade> {
  requireConfig(backends, request.configDigest);
  const bound = await bindRelease(backends, resolveRelease(backends, request.release));
  const title = releaseTitle(bound.release);
  const rules = bound.plan.upgrade ?? PlanUpgrade.parse({});
  const strategy = request.strategy ?? rules.strategy;
  const reference = request.chart ?? bound.chart.reference;
  if (reference === null)
    throw failure('InputInvalid', { message: `upgrade ${title}: name the chart; lifeboat.yaml names none for it` });
  const { namespace, name } = bound.release;
  const signal = Context.current().cancellationSignal;
  const record = await readRecord(backends.access, namespace, name, signal);
  const merged = mergeValues(parseValues(record.values), request.values);
  const values = JSON.stringify(merged);
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-upgrade-'));
  try {
    reportProgress(`pack chart ${reference}`);
    const version = request.version ?? bound.chart.version;
    const archive = await packChart(backends.access, { reference, version }, directory, signal);
    const chart = splitChart(basename(archive, '.tgz'));
    const problems: UpgradeProblem[] = [];
    if (request.version !== null && request.version !== chart.version && isLocalChart(reference))
      problems.push({
        code: 'UpgradeRefused',
        message: `upgrade ${title}: asked for is version ${request.version}, ${reference} is ${chart.name} ${chart.version}`,
      });
    let green: PlannedGreen | undefined;
    if (chart.name === bound.chart.name) {
      reportProgress(`try the upgrade of ${title}`);
      const wanted = await renderUpgrade(backends.access, { archive, namespace, name, values, signal });
      const manifests = { installed: record.manifest, wanted };
      problems.push(...(await findProblems(backends, bound, manifests)));
      if (strategy === 'blue-green') {
        green = await planGreen(backends, bound, { archive, values: merged, ...manifests });
        problems.push(...green.problems);
      }
    } else
      problems.push({
        code: 'UpgradeRefused',
        message: `upgrade ${title}: ${reference} is the chart ${chart.name}, installed is ${bound.chart.name}`,
      });
    const keep = async (part: string, bytes: Uint8Array): Promise<Artifact> =>
      await writeBytes({
        store: backends.store,
        prefix: `runs/${run.runId}/upgrade-${String(run.attempt)}`,
        name: part,
        bytes,
        recipients: backends.platform.recipients,
        restoreCommand: `cat   # the ${part} of the upgrade of ${title}`,
      });
    const kept = {
      chart: await keep('chart', await readFile(archive)),
      values: await keep('values', Buffer.from(values)),
    };
    const digest = upgradeDigest(bound, { chart: kept.chart, values, strategy });
    // Another version may show the same data in another way.
    const compare = strategy === 'rolling' ? bound.plan.compare : [...rules.compare, ...bound.plan.compare];
    await writeRunDocument(backends, run.runId, {
      bound: { ...bound, plan: { ...bound.plan, compare } },
      recovery: null,
      upgrade: {
        strategy,
        ...kept,
        overrides: request.values,
        digest,
        ...(green === undefined
          ? {}
          : {
              green: {
                name: green.name,
                values: await keep('green-values', Buffer.from(green.values)),
                services: [...green.services],
              },
            }),
      },
    });
    const summary = summarizeBoundPlan(bound);
    const { compared, notCompared } = splitComponents(summary, rules);
    if (strategy !== 'rolling') problems.push(...dumpProblems(bound, compared, strategy));
    const from = { chart: `${bound.chart.name} ${bound.chart.version}`, revision: bound.revision };
    const to = { chart: `${chart.name} ${chart.version}` };
    const blueGreen = {
      maxWriteGapMs: durationMs(request.maxWriteGap ?? rules.maxWriteGap),
      soakMs: durationMs(request.soak ?? rules.soak),
    };
    return {
      summary,
      upgrade: { strategy, from, to },
      ...(strategy === 'blue-green' ? { blueGreen } : {}),
      compared,
      notCompared,
      problems,
      plan: {
        digest,
        lines: [
          `upgrade ${title} from ${from.chart} (revision ${String(from.revision)}) to ${to.chart}, ${strategy}`,
          ...flatten(request.values, '').map((line) => `set ${line}`),
          ...(strategy === 'blue-green'
            ? [...greenLines(title, blueGreen), await forecastGap(backends, bound.release)]
            : [
                `take a recovery point first${compared.length === 0 ? '' : ', clients kept out from there on'}`,
                ...(strategy === 'dump-restore'
                  ? ['set the volumes aside, restore the point into new ones; the old ones are kept']
                  : []),
                ...compared.map((component) => `compare the facts of ${component} before and after`),
                'let clients in, log in and check health; when a step fails: back to what was there',
              ]),
        ],
        findings: [
          ...notCompared.map(({ component, reason }) => `${component} is not compared: ${reason}`),
          ...(strategy === 'rolling' || rules.writePosition !== undefined ? [] : [writesUnproven]),
        ],
        overwrites: [`release ${title}, revision ${String(bound.revision)}`],
        objects: summary.components.length,
        bytes: kept.chart.plainBytes,
        order: [{ release: title, tier: bound.tier, why: `tier ${String(bound.tier)}` }],
      },
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function greenLines(title: string, of: { maxWriteGapMs: number; soakMs: number }): string[] {
  const green = greenOf(title);
  return [
    `take a recovery point of ${title}, install ${green} beside it, restore the point there and compare its facts`,
    `keep clients out only where a gap of at most ${formatDuration(of.maxWriteGapMs)} is forecast; move what was written since, compare, lead the Services to ${green}`,
    `watch it for ${formatDuration(of.soakMs)}; a failed check leads the Services back, with what was written since`,
    `then promote: clients kept out once more, ${title} gets the new volume, chart and values; ${green} goes, the old volume is kept`,
  ];
}

/** Everything that speaks against an upgrade, found without changing anything. */
async function findProblems(
  backends: Backends,
  bound: BoundPlan,
  manifests: { installed: string; wanted: string },
): Promise<UpgradeProblem[]> {
  const title = releaseTitle(bound.release);
  const [installed, wanted] = [parseManifest(manifests.installed), parseManifest(manifests.wanted)];
  const fields = immutableChanges(installed, wanted).map(describeChange);
  if (fields.length > 0)
    return [{ code: 'ImmutableField', message: `upgrade ${title}: it cannot be changed: ${fields.join('; ')}` }];
  const missing = lostObjects(bound, installed, wanted);
  if (missing.length > 0)
    return [{ code: 'UpgradeRefused', message: `upgrade ${title}: the new chart lacks ${missing.join(', ')}` }];
  const refused = await tryManifest(backends.access, {
    manifest: manifests.wanted,
    namespace: bound.release.namespace,
    signal: Context.current().cancellationSignal,
  });
  return refused.map((line) => ({
    code: /field is immutable|updates to .* are forbidden/.test(line) ? 'ImmutableField' : 'UpgradeRefused',
    message: `try the upgrade of ${title}: ${line.slice(0, 400)}`,
  }));
}

/** What a new, empty volume would not get back from the point of the release, and a release that has none. */
function dumpProblems(bound: BoundPlan, compared: readonly string[], strategy: UpgradeStrategy): UpgradeProblem[] {
  const title = releaseTitle(bound.release);
  const foreign = bound.claims.filter(({ by }) => by !== title).map(({ database, by }) => `${database} of ${by}`);
  const left = bound.plan.components
    .filter(({ name, method, host }) => method !== 'release-config' && (host !== undefined || !compared.includes(name)))
    .map(({ name }) => name);
  const workloads = Object.values(bound.workloads);
  const reasons = [
    ...(foreign.length === 0 ? [] : [`its point does not hold ${foreign.join(', ')}`]),
    ...(left.length === 0 ? [] : [`${left.join(', ')} cannot be restored into new volumes`]),
    ...(compared.length === 0 ? ['it has no data to restore'] : []),
    ...(workloads.every(({ claims }) => claims.length === 0)
      ? [`${workloads.map(({ kind, name }) => `${kind} ${name}`).join(', ')} keeps its data in no volume`]
      : []),
  ];
  return reasons.map((reason) => ({ code: 'UpgradeRefused', message: `upgrade ${title} by ${strategy}: ${reason}` }));
}

/** What holds the data and would be gone: workloads of the plan, and claims that the chart made. */
function lostObjects(
  bound: BoundPlan,
  installed: readonly ManifestObject[],
  wanted: readonly ManifestObject[],
): string[] {
  const has = (objects: readonly ManifestObject[], kind: string, name: string): boolean =>
    objects.some((object) => object.kind === kind && object.metadata.name === name);
  const claims = installed.filter(({ kind }) => kind === 'PersistentVolumeClaim');
  return [...Object.values(bound.workloads), ...claims.map(({ kind, metadata }) => ({ kind, name: metadata.name }))]
    .filter(({ kind, name }) => !has(wanted, kind, name))
    .map(({ kind, name }) => `${kind} ${name}`);
}

/** Facts are compared while the release runs and clients are out: what needs another state is named. */
function splitComponents(
  { components, fence }: BoundSummary,
  rules: z.output<typeof PlanUpgrade>,
): Pick<PlannedUpgrade, 'compared' | 'notCompared'> {
  const compared: string[] = [];
  const notCompared: { component: string; reason: string }[] = [];
  for (const { name, method, restoreWhile } of components) {
    const excused = rules.notCompared.find(({ component }) => component === name)?.reason;
    const reason =
      excused ??
      (restoreWhile === 'stopped'
        ? 'it can be compared only while the service is stopped'
        : fence === 'scale' && method !== 'release-config'
          ? 'the fence of the plan leaves no pod to compare'
          : undefined);
    if (method === 'release-config') continue;
    if (reason === undefined) compared.push(name);
    else notCompared.push({ component: name, reason });
  }
  return { compared, notCompared };
}

function flatten(values: unknown, path: string): string[] {
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    return [`${path}=${JSON.stringify(values)}`];
  return Object.entries(values).flatMap(([key, value]) => flatten(value, path === '' ? key : `${path}.${key}`));
}
