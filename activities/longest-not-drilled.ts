import { createHash } from 'node:crypto';
import type { DrillChoice } from '../model/drill.ts';
import { failure } from '../model/failures.ts';
import { type ReleaseName, releaseTitle } from '../model/release-name.ts';
import type { PlannedDrill } from './plan-drill.ts';

/** A release, and when a point of it was last restored; null where none ever was. */
export type DrillTurn = { readonly release: ReleaseName; readonly restoredAt: string | null };

/** Releases in the order in which they are to be drilled: never drilled ones first, as lifeboat.yaml lists them. */
export function orderTurns(turns: readonly DrillTurn[]): DrillTurn[] {
  const instant = ({ restoredAt }: DrillTurn): number =>
    restoredAt === null ? Number.NEGATIVE_INFINITY : Date.parse(restoredAt);
  return [...turns].sort((one, other) => {
    const [first, second] = [instant(one), instant(other)];
    return first === second ? 0 : first - second;
  });
}

/**
 * Plans the drill of the release longest not drilled: the first in its order that can be drilled with all that it
 * requires. Those before it are refused by name, and so is all of the drill where none is left.
 */
export async function planLongestNotDrilled(
  turns: readonly DrillTurn[],
  planFor: (release: ReleaseName) => Promise<PlannedDrill>,
): Promise<PlannedDrill> {
  const passed = new Map<string, PlannedDrill['refused'][number]>();
  let last: PlannedDrill | undefined;
  for (const turn of orderTurns(turns)) {
    const planned = await planFor(turn.release);
    if (planned.refused.length === 0) {
      // One that another release could not be drilled with may well be drilled by itself.
      for (const { release } of planned.members) passed.delete(release);
      return withChoice(planned, choiceOf(turn, turns.length), [...passed.values()]);
    }
    for (const each of planned.refused) passed.set(each.release, each);
    const title = releaseTitle(turn.release);
    if (!passed.has(title)) passed.set(title, withoutRequired(title, planned));
    last = planned;
  }
  if (last === undefined) throw new Error('a platform has at least one release');
  return { ...withChoice(last, undefined, [...passed.values()]), moves: {}, members: [] };
}

function withoutRequired(release: string, { members, refused }: PlannedDrill): PlannedDrill['refused'][number] {
  const missing = refused.map((each) => each.release).join(', ');
  const message = `drill ${release}: it requires ${missing}, which cannot be drilled`;
  return {
    release,
    tier: members.find((each) => each.release === release)?.tier ?? 1,
    failure: failure('DependencyFailed', { message, subject: release }).view(),
  };
}

function choiceOf({ release, restoredAt }: DrillTurn, of: number): DrillChoice {
  const among = of === 1 ? 'the only release' : `the longest not drilled of ${String(of)} releases`;
  const when = restoredAt === null ? 'no point of it was ever restored' : `last restored ${restoredAt}`;
  return { release: releaseTitle(release), restoredAt, why: `${among}: ${when}` };
}

/** The plan with the choice in its first line; what was passed over is among its findings. */
function withChoice(
  { plan, ...planned }: PlannedDrill,
  chosen: DrillChoice | undefined,
  refused: PlannedDrill['refused'],
): PlannedDrill {
  const lines = chosen === undefined ? [] : [`choose ${chosen.release}, ${chosen.why}`, ...plan.lines];
  return {
    ...planned,
    ...(chosen === undefined ? {} : { chosen }),
    refused,
    plan: {
      ...plan,
      digest: createHash('sha256').update(lines.join('\n')).digest('hex'),
      lines,
      findings: [
        ...(planned.passedOver ?? []),
        ...refused.map(({ release, failure: view }) => `${release} is not drilled: ${view.code}: ${view.message}`),
      ],
    },
  };
}
