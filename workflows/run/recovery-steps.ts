import { patched } from '@temporalio/workflow';
import type { PlannedRecovery } from '../../activities/plan-recovery.ts';
import type { Renewal } from '../../activities/renewal.ts';
import type { LiveVolume } from '../../activities/volumes.ts';
import type { ComponentSummary } from '../../model/bound-plan.ts';
import { formatBytes } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import type { RecoverReleaseInput } from '../../model/run-input.ts';
import { patient, quick, transfer, undo } from './activity-proxies.ts';
import type { Run } from './conduct.ts';
import { type ReleaseDraft, timed } from './release-draft.ts';

/** What the steps of a recovery work with. */
export type RecoveryContext = {
  readonly run: Run<RecoverReleaseInput>;
  readonly draft: ReleaseDraft;
  readonly planned: PlannedRecovery;
  readonly release: string;
  /** Components of the point in restore order. */
  readonly components: readonly ComponentSummary[];
  /** The component that holds the release itself. */
  readonly config: ComponentSummary | undefined;
  /** The point that was made of what was live; null where nothing was. */
  safetyCopy: string | null;
  /** Whether the release was gone, and the volumes that outlived it were set aside: they come back as they were. */
  hasSetAside: boolean;
  /** Of a release that is gone: the points of other releases that have what they held of it, as `namespace/name: id`. */
  keptIn: readonly string[];
};

/** How long a fence of a recovery may stand before anybody may lift it. */
export const fenceDeadlineMs = 12 * 3_600_000;

/** Line of the step that `setClaimsAside` is. */
export const setAsideStep = 'set the old volumes aside';

/**
 * Keeps the volumes of a release that is gone, as the safety copy of what they hold: nobody can say what that is. The
 * release is installed with new ones; when the recovery fails it has the old ones again.
 */
export async function setClaimsAside(context: RecoveryContext): Promise<void> {
  const { run, draft, release } = context;
  let volumes: readonly LiveVolume[] = [];
  run.console.mark(setAsideStep, 'running');
  run.undo.push(`give ${release} its volumes back`, () => undo.giveVolumesBack({ release, volumes }));
  volumes = await quick.listVolumes({ release });
  await patient.setVolumesAside.executeWithOptions({ summary: `set the volumes of ${release} aside` }, [
    { release, volumes },
  ]);
  context.hasSetAside = true;
  run.console.mark(setAsideStep, 'done', volumes.map(({ volume }) => volume).join(', '));
  draft.notes = [
    ...draft.notes,
    ...volumes.map(
      ({ volume, claim }) =>
        `safety copy of claim ${claim.metadata.name}, which outlived its release: volume ${volume} is kept; lifeboat copies says until when`,
    ),
  ];
}

/** Secrets first, then the chart; clients are kept out from the moment that its Services exist. */
export async function install(context: RecoveryContext): Promise<void> {
  const { run, draft, planned, release, config } = context;
  if (config === undefined)
    throw failure('PointUnknown', {
      message: `recover ${release}: the point does not hold the release itself; recover its data into a release that runs`,
    });
  run.console.enter('installing');
  await timed(draft, 'install the chart', async () => {
    if (!planned.live) run.undo.push(`remove the namespace of ${release}`, () => undo.removeNamespace({ release }));
    let made: readonly string[] = [];
    run.undo.push(`take back the configuration of ${release}`, async () => {
      await undo.removeConfiguration({ release, component: config.name, objects: made });
      if (context.safetyCopy === null || !patched('configuration from the safety copy')) return;
      await undo.putBackConfiguration({ release, component: config.name, safetyCopy: context.safetyCopy });
    });
    made = await quick.restoreConfiguration({ release, component: config.name });
    run.undo.push(`take back the installation of ${release}`, () => undo.undoInstall({ release }));
    await patient.installRelease.executeWithOptions({ summary: `install ${planned.summary.chart} as ${release}` }, [
      { release, component: config.name },
    ]);
    const renewal = await quick.findRenewal({ release, component: config.name });
    await quick.restoreSecrets({ release, component: config.name });
    await raiseFence(context);
    if (renewal.secrets.length > 0) await beginAnew(context, renewal);
  });
}

/**
 * The chart made up Secrets at its installation: its pods, and the new volumes that they initialised, know these, not
 * the captured ones.
 */
async function beginAnew(context: RecoveryContext, { secrets, claims }: Renewal): Promise<void> {
  const { draft, release } = context;
  await patient.stopRelease({ release, deadlineMs: fenceDeadlineMs });
  if (claims.length > 0)
    await patient.renewClaims.executeWithOptions({ summary: `make the new volumes of ${release} anew` }, [
      { release, claims },
    ]);
  await patient.startRelease({ release });
  await raiseFence(context);
  draft.notes = [...draft.notes, `started anew with the captured ${secrets.join(', ')}`];
}

/** Keeps clients out; of a release that is to be replaced what it lacks (`mayLack`) lets nobody in. */
export async function raiseFence({ release }: RecoveryContext, mayLack = false): Promise<void> {
  await patient.raiseFence.executeWithOptions({ summary: `fence ${release}` }, [
    { release, deadlineMs: fenceDeadlineMs, kind: 'plan', mayLack },
  ]);
}

/** Restores one component into a workload that runs or is stopped, as its plan says. */
export async function restore(context: RecoveryContext, component: ComponentSummary): Promise<void> {
  const { run, draft, planned, release } = context;
  run.console.enter(`restoring ${component.name}`);
  await timed(draft, `restore ${component.name}`, async () => {
    if (component.restoreWhile === 'stopped') await patient.stopRelease({ release, deadlineMs: fenceDeadlineMs });
    else if (component.host === null) await serveFenced(context);
    run.undo.push(`put back ${component.name} of ${release}`, () => putBack(context, component));
    await transfer.restoreComponent.executeWithOptions(
      {
        summary: `restore ${release} ${component.name} (${component.method}, ${formatBytes(planned.point.plainBytes)} in all)`,
      },
      [{ release, component: component.name }],
    );
  });
  // A service that starts changes its own files: what was restored into a stopped one is compared before it starts.
  if (component.restoreWhile === 'stopped') await compare(context, component);
}

/** What a restore replaced comes back, the workload being as the restore needs it. Where nothing was, nothing comes. */
async function putBack(
  { planned, release, safetyCopy, hasSetAside, keptIn }: RecoveryContext,
  component: ComponentSummary,
): Promise<void> {
  if (!wasThere(planned, component)) return;
  // The volume that it was restored into goes with the release, and the old one comes back.
  if (hasSetAside && component.host === null) return;
  if (component.restoreWhile === 'stopped') await undo.stopRelease({ release, deadlineMs: fenceDeadlineMs });
  else if (component.host === null && planned.summary.fence !== 'scale') {
    await undo.startRelease({ release });
    await undo.waitUntilServing({ release });
  }
  await undo.undoRestore({
    release,
    component: component.name,
    safetyCopy,
    ...(keptIn.length === 0 ? {} : { keptIn }),
  });
}

/** Whether a component's target held anything. The volumes of a release that is gone are set aside, or hold nothing. */
function wasThere({ live, plan, replacedHosts }: PlannedRecovery, { host }: ComponentSummary): boolean {
  // A history from before that: any data that would be overwritten counted.
  if (replacedHosts === undefined) return plan.overwrites.length > 0;
  return live || (host !== null && replacedHosts.includes(host));
}

/** The pods run, and clients are still kept out. A fence that scales to nothing keeps the pods away. */
async function serveFenced({ planned, release }: RecoveryContext): Promise<void> {
  if (planned.summary.fence === 'scale') return;
  await patient.startRelease({ release });
  await patient.waitUntilServing.executeWithOptions({ summary: `wait until ${release} runs, fenced` }, [{ release }]);
}

/** Compares what was not compared at its restore: the release itself, and what a running service is asked for. */
export async function compareRest(context: RecoveryContext, data: readonly ComponentSummary[]): Promise<void> {
  const { run, config, draft } = context;
  await serveFenced(context);
  const withConfig = config === undefined || run.input.scope === 'data' ? data : [config, ...data];
  for (const component of withConfig) {
    if (!draft.components.some((each) => each.component === component.name)) await compare(context, component);
  }
}

/** Compares the facts of one restored component with those that were captured with it. */
async function compare({ draft, release, planned }: RecoveryContext, component: ComponentSummary): Promise<void> {
  const found = await timed(draft, 'compare facts', () =>
    transfer.compareComponent.executeWithOptions({ summary: `compare the facts of ${release} ${component.name}` }, [
      { release, component: component.name },
    ]),
  );
  const durationMs = draft.steps[`restore ${component.name}`] ?? 0;
  draft.components = [
    ...draft.components,
    { component: component.name, method: component.method, outcome: 'complete', totals: found.totals, durationMs },
  ];
  draft.facts = {
    before: planned.point.totals,
    after: { ...draft.facts.after, ...found.totals },
    equal: true,
    compared: draft.facts.compared + found.compared,
    exceptions: [...draft.facts.exceptions, ...found.exceptions],
  };
}
