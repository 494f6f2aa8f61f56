import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities/index.ts';
import type { PlannedDrill } from '../../activities/plan-drill.ts';
import type { PlannedRecovery } from '../../activities/plan-recovery.ts';
import type { PlannedUpgrade } from '../../activities/plan-upgrade.ts';
import type { RecoveryMember } from '../../activities/platform.ts';
import type { LiveVolume } from '../../activities/volumes.ts';
import type { BoundSummary, ComponentSummary } from '../../model/bound-plan.ts';
import { type FailureCode, failure } from '../../model/failures.ts';
import type { RunPlan } from '../../model/outcome.ts';

export type ActivityName = keyof Activities;
type Input<Name extends ActivityName> = Parameters<Activities[Name]>[0];
type Output<Name extends ActivityName> = Awaited<ReturnType<Activities[Name]>>;
type Fakes = { [Name in ActivityName]: (of: Input<Name>) => Output<Name> | Promise<Output<Name>> };

export const component = (name: string, of: Partial<ComponentSummary> = {}): ComponentSummary => ({
  name,
  method: 'pg-dump',
  group: null,
  captureWhile: 'running',
  restoreWhile: 'running',
  host: null,
  ...of,
});

export const config = component('config', { method: 'release-config' });

/** The summary of the release `shop/db` with a configuration and one database. */
export function summaryOf(release = 'shop/db', of: Partial<BoundSummary> = {}): BoundSummary {
  const [namespace = '', name = ''] = release.split('/');
  return {
    release: { cluster: 'test', namespace, name },
    chart: 'postgresql 1.0.0',
    tier: 1,
    rpoMs: 86_400_000,
    rtoMs: 3_600_000,
    allowDowntimeMs: null,
    components: [config, component('data')],
    fence: 'services',
    quiesceDeadlineMs: null,
    requires: [],
    ...of,
  };
}

export const planOf = (release: string, of: Partial<RunPlan> = {}): RunPlan => ({
  digest: `digest of ${release}`,
  lines: [`recover ${release}`],
  findings: [],
  overwrites: [],
  objects: 2,
  bytes: 1024,
  order: [{ release, tier: 1, why: 'tier 1' }],
  ...of,
});

/** A recovery of a release that is gone; `live` makes it one over live data. */
export function plannedOf(
  release = 'shop/db',
  of: { live?: boolean; summary?: Partial<BoundSummary>; replacedHosts?: readonly string[] } = {},
): PlannedRecovery {
  const summary = summaryOf(release, of.summary);
  const live = of.live ?? false;
  const replacedHosts = of.replacedHosts ?? [];
  const hosted = replacedHosts.map((host) => `database in ${host}`);
  const overwrites = live ? [`release ${release}, revision 1`, ...hosted] : hosted;
  return {
    summary,
    point: {
      id: `point of ${release}`,
      capturedAt: new Date(Date.now() - 60_000).toISOString(),
      plainBytes: 1024,
      storedBytes: 512,
      totals: { tables: 3 },
      components: summary.components.map((each) => each.name),
      notCaptured: [],
    },
    plan: planOf(release, { overwrites }),
    live,
    replacedHosts,
  };
}

/** A drill of releases of tier 1, all of them from the namespace `shop`. */
export function plannedDrillOf(members: readonly RecoveryMember[], of: Partial<PlannedDrill> = {}): PlannedDrill {
  return {
    platform: 'test',
    cluster: 'test',
    drill: '1',
    rto: '4h',
    parallelism: 2,
    moves: { shop: 'shop-drill-1' },
    members,
    refused: [],
    plan: planOf('the drill'),
    ...of,
  };
}

/** A rolling upgrade of a release with one database. */
export function plannedUpgradeOf(release = 'shop/db', of: Partial<PlannedUpgrade> = {}): PlannedUpgrade {
  return {
    summary: summaryOf(release),
    upgrade: {
      strategy: 'rolling',
      from: { chart: 'postgresql 1.0.0', revision: 1 },
      to: { chart: 'postgresql 1.1.0' },
    },
    compared: ['data'],
    notCompared: [],
    plan: planOf(release, { overwrites: [`release ${release}, revision 1`] }),
    problems: [],
    ...of,
  };
}

/** The one volume of a release. */
const volumeOfRelease: LiveVolume = {
  claim: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data-db-0', namespace: 'shop' } },
  uid: 'uid of the claim',
  volume: 'pv-of-db',
  policy: 'Delete',
};

/** What every activity answers where a test says nothing else: all goes well. */
const well: Fakes = {
  bindForBackup: ({ release }) => ({
    summary: summaryOf(release),
    point: `new point of ${release}`,
    plan: planOf(release),
  }),
  captureComponent: ({ component: name }) => ({
    component: name,
    totals: { tables: 3 },
    facts: 5,
    plainBytes: 1024,
    storedBytes: 512,
    durationMs: 1,
    notes: [],
    missing: [],
  }),
  verifyCapture: () => ({ plainBytes: 1024, storedBytes: 512 }),
  commitPoint: ({ point }) => ({
    id: point,
    capturedAt: new Date().toISOString(),
    previousCapturedAt: null,
    storedBytes: 512,
    suspect: null,
  }),
  discardPoint: () => undefined,
  runChecks: () => 1,
  checkRecovered: () => 1,
  acquireLock: () => undefined,
  releaseLock: () => undefined,
  raiseFence: () => undefined,
  liftFence: () => undefined,
  stopRelease: () => undefined,
  startRelease: () => undefined,
  waitUntilServing: () => undefined,
  quiesce: () => undefined,
  releaseQuiesce: () => undefined,
  planRelease: ({ release }) => plannedOf(release),
  digestOf: (lines) => lines.join('\n'),
  listPlatform: () => ({ platform: 'test', cluster: 'test', parallelism: 2, members: [] }),
  commitPlatformPoint: ({ id }) => ({ id, skewSeconds: 1 }),
  newPlatformPointId: () => 'platform point',
  locatePlatformPoint: () => ({
    platform: 'test',
    cluster: 'test',
    id: 'platform point',
    committedAt: new Date().toISOString(),
    skewSeconds: 1,
    complete: true,
    rto: '4h',
    parallelism: 2,
    members: [],
    without: [],
  }),
  writeReport: () => undefined,
  endHolds: () => undefined,
  planReplication: () => ({ members: [], plan: planOf('the platform') }),
  replicateRelease: () => ({ points: 1, objects: 3, bytes: 1024, newest: 'p', damaged: [] }),
  replicatePlatform: () => ({ points: 1, objects: 2, bytes: 512, newest: 'p', damaged: [] }),
  planExpiry: () => ({ members: [], plan: planOf('the platform') }),
  expireRelease: () => ({ kept: 1, expired: [], keptAgain: [], removed: [], removedBytes: 0, waiting: 0 }),
  collectStoreGarbage: () => ({ objects: 0, bytes: 0, inDoubt: [] }),
  listPointsToVerify: () => ({ points: [], broken: [] }),
  verifyPoint: () => ({ plainBytes: 1024, storedBytes: 512, proof: 'read-back' }),
  selfTestChecks: () => ({ checks: 1, problems: [], found: ['helm'] }),
  checkPrerequisites: () => ({ checks: 1, problems: [], found: ['helm'] }),
  restoreConfiguration: () => ['Secret/db'],
  removeConfiguration: () => undefined,
  putBackConfiguration: () => undefined,
  installRelease: () => undefined,
  findRenewal: () => ({ secrets: [], claims: [] }),
  restoreSecrets: () => undefined,
  renewClaims: () => undefined,
  restoreComponent: () => undefined,
  compareComponent: () => ({ compared: 5, equal: true, totals: { tables: 3 }, exceptions: [] }),
  undoRestore: () => undefined,
  undoInstall: () => undefined,
  removeNamespace: () => undefined,
  markRestored: () => undefined,
  planDrill: () => plannedDrillOf([]),
  openScratchNamespaces: () => undefined,
  isolateScratch: () => ({
    enforced: true,
    probes: ['shop-drill-1 → Service shop/db: open before the policy, then closed'],
  }),
  closeScratchNamespaces: () => undefined,
  planUpgrade: ({ release }) => plannedUpgradeOf(release),
  confirmUpgrade: () => undefined,
  bindUpgradePoint: () => undefined,
  upgradeChart: () => ({ revision: 2 }),
  dropStuckPods: () => undefined,
  listVolumes: () => [volumeOfRelease],
  setVolumesAside: () => undefined,
  giveVolumesBack: () => undefined,
  installGreen: ({ release }) => `${release}-green`,
  bindGreen: () => undefined,
  removeGreen: () => undefined,
  cutOver: () => undefined,
  cutBack: () => undefined,
  readWritePosition: () => 'app 12 3',
  compareAndKeep: () => ({ compared: 5, equal: true, totals: { tables: 3 }, exceptions: [] }),
  keepLiveFacts: () => undefined,
  compareWithKept: () => 5,
  carryBack: () => 0,
  dropReplaced: () => undefined,
  adoptVolumes: () => undefined,
  settleVolumes: () => undefined,
};

export const activityNames = Object.keys(well) as ActivityName[];

/** Activities that remember that they were called, and fail where a test wants it. */
export class FakeActivities {
  /** `name subject`, in the order of the calls; the subject is a component, or the release. */
  readonly calls: string[] = [];
  private readonly own: Partial<Fakes> = {};

  /** Answers an activity in the test's own way. */
  on<Name extends ActivityName>(name: Name, fake: Fakes[Name]): this {
    this.own[name] = fake;
    return this;
  }

  /** Lets an activity do something first. */
  first(name: ActivityName, work: () => void): this {
    const before = (this.own[name] ?? well[name]) as (of: unknown) => unknown;
    const fake = (of: unknown): unknown => {
      work();
      return before(of);
    };
    return this.on(name, fake as Fakes[typeof name]);
  }

  /** Lets an activity fail, always or so many times, and then go well. */
  fail<Name extends ActivityName>(
    name: Name,
    code: FailureCode,
    of: { times?: number; only?: (input: Input<Name>) => boolean } = {},
  ): this {
    let left = of.times ?? Number.POSITIVE_INFINITY;
    const before = this.own[name] ?? well[name];
    return this.on(name, ((input: Input<Name>) => {
      if ((of.only?.(input) ?? true) && left > 0) {
        left -= 1;
        throw failure(code, { message: `${name}: broken by the test`, changed: 'unknown' });
      }
      return before(input);
    }) as Fakes[Name]);
  }

  /** The calls of the named activities, in their order. */
  only(...names: ActivityName[]): string[] {
    return this.calls.filter((call) => names.some((name) => call === name || call.startsWith(`${name} `)));
  }

  async run(name: ActivityName, input: unknown): Promise<unknown> {
    const { release, component: named } = (input ?? {}) as { release?: unknown; component?: unknown };
    const subject = [named, release].find((text) => typeof text === 'string');
    this.calls.push(typeof subject === 'string' ? `${name} ${subject}` : name);
    const fake = (this.own[name] ?? well[name]) as (of: unknown) => unknown;
    return await fake(input);
  }
}

/** An activity that never ends but by its cancellation, and listens for it. */
export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  for (;;) {
    context.heartbeat();
    await sleep(20);
    context.cancellationSignal.throwIfAborted();
  }
}
