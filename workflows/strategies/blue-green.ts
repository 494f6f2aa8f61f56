import { formatDuration } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import { greenOf } from '../../model/release-name.ts';
import { patient, quick, transfer, undo } from '../run/activity-proxies.ts';
import type { Ending } from '../run/conduct.ts';
import { logInAndCheck } from '../run/serving.ts';
import { type BlueGreen, blueGreenLines, rollBack, setUpgrade } from './blue-green-steps.ts';
import { promote } from './promote.ts';
import { soak } from './soak.ts';
import {
  addFacts,
  comparedOf,
  lines,
  marked,
  noteNotCompared,
  raiseFence,
  readWritePosition,
  requireNothingWritten,
  restoreData,
  takePoint,
  type UpgradeContext,
} from './upgrade-steps.ts';

/**
 * Installs the new version beside the release, gives it the data through a proven point, and leads the Services to it
 * once nothing is left to move; clients are kept out only for that last move. Watched for a while it is promoted: the
 * release itself gets its volume, chart and values. Until the end going back loses nothing that clients wrote, or is
 * refused with what would be lost.
 */
export async function upgradeBlueGreen(upgrade: UpgradeContext): Promise<Ending> {
  const { run, planned, release } = upgrade;
  const { blueGreen: limits } = planned;
  if (limits === undefined) throw new Error('the plan of a blue-green upgrade has its limits');
  const { point, fence, compare, ready, check } = lines;
  const { green, rehearse, move, login, cutover, soak: soaking, promote: promotion } = blueGreenLines;
  run.console.announce([
    point,
    green,
    rehearse,
    fence,
    move,
    compare,
    login,
    cutover,
    soaking,
    promotion,
    ready,
    check,
  ]);
  await takePoint(upgrade);
  run.begin();
  const context: BlueGreen = { ...upgrade, green: greenOf(release), limits, serving: 'blue' };
  await installGreen(context);
  const forecastMs = await rehearseMove(context);
  const { maxWriteGapMs } = limits;
  setUpgrade(context, { forecastMs });
  if (forecastMs > maxWriteGapMs)
    throw failure('WriteGapTooLong', {
      message: `upgrade ${release}: clients would be kept from writing for ${formatDuration(forecastMs)} by the rehearsal, ${formatDuration(maxWriteGapMs)} are allowed`,
    });
  await moveToGreen(context);
  await dropReplaced(context);
  await soak(context);
  await promote(context);
  return { outcome: 'complete' };
}

async function installGreen(context: BlueGreen): Promise<void> {
  const { run, release, green } = context;
  run.console.enter('installing green');
  // What clients wrote there is never thrown away.
  run.undo.push(`remove ${green}`, async () => {
    if (context.serving === 'blue') await undo.removeGreen({ release });
  });
  await marked(context, blueGreenLines.green, async () => {
    await patient.installGreen.executeWithOptions({ summary: `install ${green}` }, [{ release }]);
    await quick.bindGreen({ release });
    await patient.waitUntilServing.executeWithOptions({ summary: `wait until ${green} runs` }, [{ release: green }]);
    return green;
  });
}

/** Moves the data of the point, while clients write on. @returns how long the last move is going to take, by this one */
async function rehearseMove(context: BlueGreen): Promise<number> {
  const { run, draft } = context;
  run.console.enter('rehearsing the move');
  const { rehearse } = blueGreenLines;
  await marked(context, rehearse, async () => {
    await restoreData(context, context.green);
    await compareGreen(context);
    await logInAndCheck(context.green);
  });
  // What a rehearsal has compared is counted again when it counts.
  draft.components = [];
  draft.facts = { ...draft.facts, after: null, equal: null, compared: 0, exceptions: [] };
  return (draft.steps[lines.point] ?? 0) + (draft.steps[rehearse] ?? 0);
}

/** The last move, clients kept out: fence, final point, restore, comparison, logins, cutover. */
async function moveToGreen(context: BlueGreen): Promise<void> {
  const { run, release, green } = context;
  run.console.enter('fencing');
  run.undo.push(`let the clients of ${release} in`, async () => {
    if (context.serving === 'green') return;
    await undo.startRelease({ release });
    await undo.liftFence({ release });
    await undo.waitUntilServing({ release });
    if (context.keptOutSince !== null && context.draft.upgrade?.gapsMs?.cutover === undefined)
      setUpgrade(context, { gap: { name: 'cutover', sinceMs: context.keptOutSince } });
  });
  context.keptOutSince = Date.now();
  await marked(context, lines.fence, () => raiseFence(context));
  const position = await readWritePosition(context);
  await takePoint(context, { line: blueGreenLines.move, name: `final-${release}` });
  run.console.enter('moving');
  await marked(context, lines.compare, async () => {
    await restoreData(context, context.green);
    await compareGreen(context);
    return `${String(context.draft.facts.compared)} ≡`;
  });
  await marked(context, blueGreenLines.login, () => logInAndCheck(green));
  run.console.enter('cutting over');
  await marked(context, blueGreenLines.cutover, async () => {
    await requireNothingWritten(context, position, 'cut over');
    run.undo.push(`lead clients back to ${release}`, () => rollBack(context));
    context.serving = 'green';
    await quick.cutOver.executeWithOptions({ summary: `lead the Services of ${release} to ${green}` }, [{ release }]);
    setUpgrade(context, { gap: { name: 'cutover', sinceMs: context.keptOutSince ?? Date.now() } });
    return `clients were kept out for ${formatDuration(context.draft.upgrade?.gapsMs?.cutover ?? 0)}`;
  });
  context.keptOutSince = null;
}

async function compareGreen(context: BlueGreen): Promise<void> {
  const { draft, green } = context;
  for (const { name: component, method } of comparedOf(context)) {
    const found = await transfer.compareAndKeep.executeWithOptions(
      { summary: `compare the facts of ${green} ${component}` },
      [{ release: green, component, as: 'cutover' }],
    );
    draft.components = [...draft.components, { component, method, outcome: 'complete', totals: found.totals }];
    addFacts(draft, found);
  }
  noteNotCompared(context);
}

/** What the rehearsal left in green goes once clients are served: it takes space, nothing else. */
async function dropReplaced(context: BlueGreen): Promise<void> {
  for (const { name: component } of comparedOf(context))
    await patient.dropReplaced.executeWithOptions({ summary: `drop what the rehearsal left in ${context.green}` }, [
      { release: context.green, component },
    ]);
}
