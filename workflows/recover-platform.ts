import type { RecoveryMember } from '../activities/platform.ts';
import { durationMs, formatBytes, formatDuration } from '../model/duration.ts';
import { failure } from '../model/failures.ts';
import { joinOutcomes, measureObjective, type RunPlan, type RunResult } from '../model/outcome.ts';
import { titleOfPath } from '../model/release-name.ts';
import { RecoverPlatformInput } from '../model/run-input.ts';
import { patient, quick, transfer } from './run/activity-proxies.ts';
import { forEachBounded } from './run/bounded.ts';
import { conduct, type Run } from './run/conduct.ts';
import { isCancelled, viewFailure } from './run/failure-view.ts';
import { recoverWaves } from './run/recover-waves.ts';
import { copyHost } from './run/safety-copy.ts';
import { requireTime } from './run/time-limit.ts';

type PlatformRun = Run<RecoverPlatformInput>;
/** The plan of the whole, and by release its digest and the hosts of its data that run while it is gone, as paths. */
type PlatformPlan = {
  readonly whole: RunPlan;
  readonly digests: ReadonlyMap<string, string>;
  readonly hosts: ReadonlyMap<string, readonly string[]>;
};
type Located = Awaited<ReturnType<typeof quick.locatePlatformPoint>>;

const phases = [
  '1 prerequisites',
  '2 recovery points',
  '3 tier 1',
  '4 tier 2',
  '5 tier 3',
  '6 tier 4',
  '7 verification',
] as const;

/**
 * Recovers the platform in seven phases: prerequisites, recovery points located and verified, the four tiers, and a
 * last verification of everything that came back. Order inside and across tiers comes from what the releases need.
 * Nothing is changed before every prerequisite holds and every point was read back; overwriting live data waits for an
 * approval of the whole plan.
 */
export async function recoverPlatform(raw?: unknown): Promise<RunResult> {
  return await conduct(
    'recoverPlatform',
    RecoverPlatformInput,
    raw,
    (input) => ({ title: 'Recover the platform', trigger: input.trigger }),
    async (run) => {
      const { input, console } = run;
      const configDigest = input.configDigest ?? null;
      console.announce(phases);
      const located = await prerequisites(run, configDigest);
      console.announce(checklist(located));
      const plan = await planAll(run, located, configDigest);
      if (input.dryRun) return { outcome: 'complete', plan: plan.whole };
      const passedOver = located.passedOver ?? [];
      run.notes.push(...passedOver);
      const size = {
        rtoMs: durationMs(located.rto),
        plainBytes: plan.whole.bytes,
        live: plan.whole.overwrites.length > 0,
      };
      requireTime('recover the platform', size);
      await verifyPoints(run, located);
      if (plan.whole.overwrites.length > 0) {
        const approval = await console.approve({
          planDigest: plan.whole.digest,
          lines: [...passedOver, ...plan.whole.lines],
          overwrites: plan.whole.overwrites,
        });
        run.notes.push(`approved by ${approval.by}: ${approval.reason}`);
      }
      requireTime('recover the platform', size);
      const approved = { digests: plan.digests, keptIn: await copyHosts(run, plan) };
      run.begin();
      for (const tier of [1, 2, 3, 4]) await recoverTier(run, located, tier, approved);
      await verification(run, located);
      const outcome = joinOutcomes(run.releases.map((release) => release.outcome));
      const incidentAt = input.incidentAt === undefined ? console.startedAt.getTime() : Date.parse(input.incidentAt);
      const rto = measureObjective(durationMs(located.rto), Date.now() - incidentAt);
      run.notes.push(
        `platform RTO ${formatDuration(Date.now() - incidentAt)} of ${located.rto}: ${rto.met === true ? 'met' : 'missed'}`,
      );
      for (const release of located.without) run.notes.push(`${release} has no recovery point`);
      const whole = located.without.length > 0 && outcome === 'complete' ? 'partial' : outcome;
      return { outcome: whole, platformPoint: located.id };
    },
  );
}

/** The phases, each tier with its releases below it. */
function checklist({ members }: Located): string[] {
  return phases.flatMap((phase, index) => [
    phase,
    ...members.filter(({ tier }) => tier === index - 1).map(({ release }) => release),
  ]);
}

/** Phase 1: every problem at once, before the first change. */
async function prerequisites({ console, input }: PlatformRun, configDigest: string | null): Promise<Located> {
  const [phase] = phases;
  console.enter(phase);
  console.mark(phase, 'running');
  const located = await quick.locatePlatformPoint({
    point: input.point,
    releases: input.releases ?? null,
    configDigest,
  });
  console.attribute('cluster', located.cluster);
  console.attribute('point', located.id);
  const members = located.members.map(({ release, point }) => ({ release, point }));
  const checked = await patient.checkPrerequisites.executeWithOptions(
    { summary: `check the prerequisites of ${String(members.length)} releases` },
    [{ releases: members, into: input.into }],
  );
  if (checked.problems.length > 0) {
    console.mark(phase, 'failed', `${String(checked.problems.length)} of ${String(checked.checks)} checks failed`);
    throw failure('PrerequisitesMissing', { message: `check prerequisites: ${checked.problems.join('; ')}` });
  }
  console.mark(phase, 'done', `${String(checked.checks)} checks`);
  return located;
}

/** One plan from the plans of the releases; its digest covers theirs. */
async function planAll(run: PlatformRun, located: Located, configDigest: string | null): Promise<PlatformPlan> {
  const { input } = run;
  const hosts = new Map<string, readonly string[]>();
  const digests = new Map<string, string>();
  const plans: RunPlan[] = [];
  for (const member of located.members) {
    const planned = await quick.planRelease({
      release: member.release,
      point: member.point,
      to: null,
      into: input.into ?? null,
      scope: 'all',
      configDigest,
    });
    digests.set(member.release, planned.plan.digest);
    plans.push(planned.plan);
    hosts.set(member.release, planned.replacedHosts ?? []);
  }
  const whole: RunPlan = {
    digest: await quick.digestOf([...digests.entries()].map(([release, digest]) => `${release} ${digest}`)),
    lines: plans.flatMap((plan) => plan.lines),
    findings: [
      ...(located.passedOver ?? []),
      ...plans.flatMap((plan) => plan.findings),
      ...located.without.map((release) => `${release} has no recovery point`),
    ],
    overwrites: plans.flatMap((plan) => plan.overwrites),
    objects: plans.reduce((sum, plan) => sum + plan.objects, 0),
    bytes: plans.reduce((sum, plan) => sum + plan.bytes, 0),
    order: located.members.map(({ release, tier, why }) => ({ release, tier, why })),
  };
  return { whole, digests, hosts };
}

/**
 * Backs up what holds data of a release that is gone; a member that runs takes its own safety copy.
 * @returns by release what `copyHost` says of its hosts, where there are any
 */
async function copyHosts(run: PlatformRun, { digests, hosts }: PlatformPlan): Promise<Map<string, string[]>> {
  const copies = new Map<string, string>();
  const keptIn = new Map<string, string[]>();
  for (const [release, own] of hosts)
    for (const host of own.filter((path) => !digests.has(titleOfPath(path)))) {
      let copy = copies.get(host);
      if (copy === undefined) {
        run.console.enter('safety copies');
        copy = await copyHost(run, host);
        copies.set(host, copy);
        run.notes.push(`safety copy of what was in ${copy}`);
      }
      keptIn.set(release, [...(keptIn.get(release) ?? []), copy]);
    }
  return keptIn;
}

/** Phase 2: every stored byte of every point is read back before anything is built on it. */
async function verifyPoints({ console }: PlatformRun, located: Located): Promise<void> {
  const phase = phases[1];
  console.enter(phase);
  console.mark(phase, 'running', `0 of ${String(located.members.length)} verified`);
  let done = 0;
  let bytes = 0;
  await forEachBounded(located.members, located.parallelism, async (member) => {
    const read = await transfer.verifyPoint.executeWithOptions(
      { summary: `read back ${member.release} ${member.point}` },
      [{ release: member.release, point: member.point }],
    );
    done += 1;
    bytes += read.plainBytes;
    console.mark(phase, 'running', `${String(done)} of ${String(located.members.length)} verified`);
  });
  console.mark(
    phase,
    'done',
    `${String(done)} of ${String(located.members.length)} verified, ${formatBytes(bytes)} read back`,
  );
}

/** Phases 3 to 6: the releases of a tier in waves; those of one wave do not need each other. */
async function recoverTier(
  run: PlatformRun,
  located: Located,
  tier: number,
  { digests, keptIn }: Pick<PlatformPlan, 'digests'> & { keptIn: ReadonlyMap<string, string[]> },
): Promise<void> {
  const { console, input } = run;
  const phase = phases[tier + 1] ?? '';
  const members = located.members.filter((member) => member.tier === tier);
  if (members.length === 0) {
    console.mark(phase, 'skipped', 'no release');
    return;
  }
  console.enter(phase);
  console.mark(phase, 'running');
  const isBack = ({ release }: RecoveryMember): boolean =>
    run.releases.some((each) => each.release === release && each.outcome === 'complete');
  const count = (): string => `${String(members.filter(isBack).length)} of ${String(members.length)} recovered`;
  await recoverWaves(run, members, {
    parallelism: located.parallelism,
    inputOf: (member) => ({
      release: member.release,
      point: member.point,
      onFailure: input.onFailure,
      trigger: 'platform',
      partOf: {
        ...{ lockHeld: false, verified: true, approvedDigest: digests.get(member.release) ?? '' },
        keptIn: keptIn.get(member.release),
      },
      incidentAt: input.incidentAt ?? console.startedAt.toISOString(),
      ...(input.into === undefined ? {} : { into: input.into }),
      ...(input.configDigest === undefined ? {} : { configDigest: input.configDigest }),
    }),
    afterEach: () => {
      console.mark(phase, 'running', count());
    },
  });
  console.mark(phase, members.every(isBack) ? 'done' : 'failed', count());
}

/** Phase 7: every release that came back is asked once more, now that all of them run beside each other. */
async function verification(run: PlatformRun, located: Located): Promise<void> {
  const { console } = run;
  const phase = phases[6];
  console.enter(phase);
  console.mark(phase, 'running');
  const recovered = run.releases.filter((release) => release.outcome === 'complete' || release.outcome === 'partial');
  let checks = 0;
  for (const release of recovered) {
    try {
      checks += await patient.checkRecovered.executeWithOptions({ summary: `check ${release.release} once more` }, [
        { release: release.release, into: run.input.into ?? null, point: release.recoveryPoint ?? '' },
      ]);
    } catch (error) {
      if (isCancelled(error)) throw error;
      const at = run.releases.indexOf(release);
      run.releases[at] = { ...release, outcome: 'failed', failure: viewFailure(error) };
    }
  }
  const facts = recovered.reduce((sum, release) => sum + release.facts.compared, 0);
  const good =
    run.releases.length === located.members.length && run.releases.every((release) => release.outcome === 'complete');
  console.mark(
    phase,
    good ? 'done' : 'failed',
    `${String(recovered.length)} of ${String(located.members.length)} releases, ${String(checks)} checks, ${String(facts)} facts ≡`,
  );
}
