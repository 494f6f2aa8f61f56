import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { expect } from 'vitest';
import { renderReport } from '../../cli/render-report.ts';
import { openTerminal } from '../../cli/terminal.ts';
import { type FailureCode, type FailureView, failures } from '../../model/failures.ts';
import { type Compensation, exitCodes, type RunResult } from '../../model/outcome.ts';
import { searchAttributes } from '../../model/run-names.ts';
import type { Ran } from '../e2e/ground.ts';
import { temporalClient } from '../e2e/temporal-client.ts';
import type { FaultsGround, State } from './faults-ground.ts';

/** How a run has to fail. */
export type ExpectedFailure = {
  readonly outcome: 'failed' | 'refused' | 'partial';
  readonly code: FailureCode;
  /** What its message says. */
  readonly message: RegExp;
  readonly compensation?: Compensation;
  /** Over the environment of the command. */
  readonly env?: Readonly<Record<string, string>>;
};

/** Approves what is asked for. */
export const approved = ['--yes', '--by', 'test', '--reason', 'test', '--on-failure', 'abort'] as const;

/** Runs a command that has to fail as `expected` and to leave everything as it was. */
export async function expectFailure(
  ground: FaultsGround,
  args: readonly string[],
  expected: ExpectedFailure,
): Promise<Ran> {
  const before = await ground.state();
  const ran = await expectFailedRun(ground, args, expected);
  await expectAsItWas(ground, before);
  return ran;
}

/** Everything is as it was: source, target, store, locks. */
export async function expectAsItWas(ground: FaultsGround, before: State): Promise<void> {
  expect(await ground.state()).toEqual(before);
}

/** Runs a command that has to fail as `expected`: on the screen, in the JSON, by its exit code and in Temporal. */
export async function expectFailedRun(
  ground: FaultsGround,
  args: readonly string[],
  expected: ExpectedFailure,
): Promise<Ran> {
  const ran = await ground.run(args, expected.env);
  const { result } = ran;
  const view = failureOf(result);
  expect({ outcome: result.outcome, code: view?.code, exitCode: ran.exitCode }, ran.stderr).toEqual({
    outcome: expected.outcome,
    code: expected.code,
    exitCode: exitCodes[expected.outcome],
  });
  expect(view?.message).toMatch(expected.message);
  expect(view?.hint).toBe(failures[expected.code].hint);
  if (expected.compensation !== undefined)
    expect(result.compensation, JSON.stringify(result.notes)).toBe(expected.compensation);
  await expectClosedAsFailed(ground, ran, expected);
  expectShown(ran, expected.code);
  return ran;
}

/** The failure of a run, or of its first release that failed. */
export function failureOf(result: RunResult): FailureView | undefined {
  return result.failure ?? result.releases.find((release) => release.failure !== undefined)?.failure;
}

async function expectClosedAsFailed(
  ground: FaultsGround,
  { result }: Ran,
  { outcome, code }: ExpectedFailure,
): Promise<void> {
  const client = await temporalClient(ground);
  const handle = client.workflow.getHandle(result.workflowId);
  const described = await handle.describe();
  expect(described.status.name).toBe('FAILED');
  expect(
    described.typedSearchAttributes.get(
      defineSearchAttributeKey(searchAttributes.outcome, SearchAttributeType.KEYWORD),
    ),
  ).toBe(outcome);
  const error: unknown = await handle.result().catch((caught: unknown) => caught);
  const cause = error instanceof WorkflowFailedError ? error.cause : undefined;
  expect(cause).toBeInstanceOf(ApplicationFailure);
  const { type, details } = cause as ApplicationFailure;
  expect(type).toBe(code);
  expect(details?.[0]).toMatchObject({ outcome, releases: result.releases });
  // What cannot get better is not tried again; what can is tried five times, 15 s in all.
  const history = await handle.fetchHistory();
  const events = history.events ?? [];
  const failed = events.flatMap(({ activityTaskFailedEventAttributes: each }) =>
    each?.failure?.applicationFailureInfo?.type === code ? [String(each.startedEventId)] : [],
  );
  for (const { eventId, activityTaskStartedEventAttributes: each } of events)
    if (failed.includes(String(eventId)))
      expect(each?.attempt).toBeLessThanOrEqual(failures[code].class === 'transient' ? 5 : 1);
  await client.connection.close();
}

/** The report names the code, the message and what to do next. */
function expectShown({ result }: Ran, code: FailureCode): void {
  const shown = renderReport(result, { ...result, terminal: openTerminal({ json: false }) });
  expect(shown).toContain(`${code}: ${failureOf(result)?.message ?? ''}`);
  expect(shown).toContain(failures[code].hint);
}
