import { formatBytes, formatDuration } from '../model/duration.ts';
import { describeTotals } from '../model/facts.ts';
import type {
  ExpiryReport,
  Objective,
  ReleaseResult,
  ReplicationReport,
  RunResult,
  UpgradeResult,
} from '../model/outcome.ts';
import { describeFailure } from './session.ts';
import { type Terminal, table } from './terminal.ts';

const verbs: Readonly<Record<string, string>> = {
  backUpRelease: 'BACKED UP',
  backUpPlatform: 'BACKED UP',
  recoverRelease: 'RECOVERED',
  recoverPlatform: 'RECOVERED',
  runDrill: 'DRILLED',
  upgradeRelease: 'UPGRADED',
  verifyRecoveryPoint: 'VERIFIED',
  expireRecoveryPoints: 'EXPIRED',
  replicateRecoveryPoints: 'REPLICATED',
  selfTest: 'TESTED',
};

/** What each release says in a line of its own. */
const withoutTable: ReadonlySet<string> = new Set(['expireRecoveryPoints', 'replicateRecoveryPoints']);

/** `3m 12s ✓`, or `–` where nothing was measured. */
function objective({ achievedSeconds, met }: Objective): string {
  if (achievedSeconds === null) return '–';
  return `${formatDuration(achievedSeconds * 1000)}${met === null ? '' : met ? ' ✓' : ' ✗'}`;
}

function totals(release: ReleaseResult): string {
  const words = describeTotals(release.facts.before, 2);
  const sign = release.facts.equal === null ? '' : release.facts.equal ? ' ≡' : ' ≠';
  return words === '' && sign === '' ? '–' : `${words}${sign}`;
}

/** The report of a run as text, at most 100 columns wide where the names allow. */
export function renderReport(result: RunResult, of: { workflowId: string; runId: string; terminal: Terminal }): string {
  const { terminal } = of;
  const colour = result.outcome === 'complete' ? 'green' : 'red';
  const verb =
    result.outcome === 'complete' || result.outcome === 'partial' ? (verbs[result.type] ?? result.type) : result.type;
  const parts = [
    `${terminal.paint('bold', verb)}  ${terminal.paint(colour, result.outcome)} in ${formatDuration(result.durationMs)}${result.compensation === 'none' ? '' : `, compensation ${result.compensation}`}${isolation(result)}`,
  ];
  if (result.releases.length > 0 && !withoutTable.has(result.type)) parts.push('', releaseTable(result));
  const remarks = result.releases.flatMap(remarksOf);
  if (remarks.length > 0) parts.push('', ...remarks);
  const failures = [
    ...result.releases.flatMap((release) =>
      release.failure === undefined
        ? []
        : [{ release: release.release, view: release.failure, compensation: release.compensation }],
    ),
    ...(result.failure === undefined ? [] : [{ release: '', view: result.failure, compensation: result.compensation }]),
  ];
  const seen = new Set<string>();
  for (const { release, view, compensation } of failures) {
    if (seen.has(view.message)) continue;
    seen.add(view.message);
    parts.push(
      '',
      ...describeFailure(view, compensation).map((line, index) =>
        index === 0 && release !== '' ? line.replace('✗ ', `✗ ${release}  `) : line,
      ),
    );
  }
  if ((result.notes ?? []).length > 0) parts.push('', ...(result.notes ?? []).map((note) => `· ${note}`));
  if (result.notConfigured.length > 0) parts.push('', `not configured: ${result.notConfigured.join(', ')}`);
  if (result.plan === undefined) parts.push('', `report runs/${of.runId}/report.json, signed   run ${of.workflowId}`);
  return parts.join('\n');
}

function isolation({ drill }: RunResult): string {
  if (drill === undefined) return '';
  return `   isolation: ${drill.isolated ?? 'not measured'}`;
}

/** What a reader must know of a release beside its row: what is missing, what was excepted, what was left behind. */
function remarksOf({
  release,
  components,
  facts,
  leftBehind,
  upgrade,
  downtime,
  expiry,
  replication,
}: ReleaseResult): string[] {
  const missing = components.filter((component) => component.reason !== undefined);
  return [
    ...(upgrade === undefined ? [] : [upgradeRemark(release, upgrade)]),
    ...(expiry === undefined ? [] : [expiryRemark(release, expiry)]),
    ...(replication === undefined ? [] : [replicationRemark(release, replication)]),
    ...(downtime === undefined
      ? []
      : [
          `Stopped: ${release} ${objective(downtime)} of the ${formatDuration(downtime.objectiveSeconds * 1000)} allowed`,
        ]),
    ...missing.map(
      ({ component, outcome, reason }) =>
        `${outcome === 'not captured' ? 'Not captured' : 'Not restored'}: ${release} ${component} (${reason ?? ''})`,
    ),
    ...facts.exceptions.map(
      (exception) =>
        `Excepted: ${release} ${String(exception.count)} of at most ${String(exception.bound)} facts ${exception.facts}: ${exception.reason}`,
    ),
    ...leftBehind.map((text) => `Left behind: ${release} ${text}`),
  ];
}

function expiryRemark(release: string, expiry: ExpiryReport): string {
  const { kept, expired, keptAgain, removed, removedBytes, waiting } = expiry;
  const points = (count: number): string => `${String(count)} ${count === 1 ? 'point' : 'points'}`;
  return [
    `${release}: ${points(kept)} kept`,
    ...(keptAgain.length > 0 ? [`${points(keptAgain.length)} kept again`] : []),
    ...(expired.length > 0 ? [`${points(expired.length)} expired`] : []),
    ...(removed.length > 0 ? [`${points(removed.length)} removed, ${formatBytes(removedBytes)}`] : []),
    ...(waiting > 0 ? [`${points(waiting)} expired before and still there`] : []),
  ].join(', ');
}

function replicationRemark(release: string, { points, objects, bytes, newest, damaged }: ReplicationReport): string {
  const copied =
    points === 0
      ? 'nothing to copy'
      : `${String(points)} points copied, ${String(objects)} objects, ${formatBytes(bytes)}, each read back`;
  const lost = damaged.length === 0 ? '' : `; ${String(damaged.length)} could not be copied`;
  return `${release}: ${copied}; newest ${newest ?? 'none'}${lost}`;
}

function upgradeRemark(release: string, { from, to, strategy, writeGapMs, forecastMs, gapsMs }: UpgradeResult): string {
  const gaps = Object.entries(gapsMs ?? {}).map(([name, ms]) => `${formatDuration(ms)} at the ${name}`);
  const forecast = forecastMs === undefined ? '' : ` (forecast ${formatDuration(forecastMs)})`;
  const gap =
    gaps.length > 0
      ? `, clients kept out for ${gaps.join(', ')}${forecast}`
      : writeGapMs === null
        ? ''
        : `, clients kept out for ${formatDuration(writeGapMs)}`;
  return `Upgrade: ${release} ${from.chart} (revision ${String(from.revision)}) → ${to.chart}, ${strategy}${gap}`;
}

function releaseTable(result: RunResult): string {
  const recovery = result.type.startsWith('recover') || result.type === 'runDrill';
  const header = ['TIER', 'RELEASE', 'POINT', 'SIZE', 'FACTS', ...(recovery ? ['RTO', 'RPO'] : ['TIME', 'RPO'])];
  const rows = [...result.releases]
    .sort((a, b) => a.tier - b.tier)
    .map((release) => [
      String(release.tier),
      release.release,
      release.outcome === 'complete' || release.outcome === 'partial'
        ? (release.recoveryPoint ?? '–')
        : release.outcome,
      release.storedBytes === 0 ? '–' : formatBytes(release.storedBytes),
      totals(release),
      recovery ? objective(release.rto) : formatDuration(release.durationMs),
      objective(release.rpo),
    ]);
  return table(header, rows);
}

/** The plan of a dry run as text. */
export function renderPlan(plan: NonNullable<RunResult['plan']>): string {
  return [
    `This will touch ${String(plan.objects)} ${plan.noun ?? 'components'}, ${formatBytes(plan.bytes)}.                 plan ${plan.digest.slice(0, 16)}`,
    ...plan.lines.map((line) => `  ${line}`),
    ...(plan.overwrites.length === 0
      ? ['It overwrites nothing.']
      : ['It overwrites:', ...plan.overwrites.map((line) => `  ! ${line}`)]),
    ...plan.findings.map((line) => `  · ${line}`),
  ].join('\n');
}
