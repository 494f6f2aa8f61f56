import { CancellationScope } from '@temporalio/workflow';
import { formatDuration } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import type { Decision } from '../../model/run-input.ts';
import { isCancelled, viewFailure } from '../run/failure-view.ts';
import type { Asked } from '../run/questions.ts';
import { checkHealth } from '../run/serving.ts';
import { type BlueGreen, blueGreenLines, rollBack } from './blue-green-steps.ts';
import { marked } from './upgrade-steps.ts';

/** Between two looks at a new version that serves. */
const shortestMs = 15_000;

/**
 * Watches the new version while it serves. A person may promote it or roll it back at any time; a check that fails
 * rolls it back. A rollback that would lose something is not made: a person has to decide then.
 * @throws HealthFailed, CredentialMismatch, RolledBack
 */
export async function soak(context: BlueGreen): Promise<void> {
  const { run, green, limits } = context;
  const { soakMs } = limits;
  run.console.enter('soaking');
  await marked(context, blueGreenLines.soak, async () => {
    const asks =
      run.input.promote === 'ask'
        ? 'it is promoted when somebody says so'
        : `it is promoted ${formatDuration(soakMs)} later`;
    let decision = await offered(context, `${green} serves since ${new Date().toISOString()}; ${asks}`, (offer) =>
      watch(context, offer),
    );
    while (decision?.action === 'rollback') {
      const refused = await tryRollBack(context, decision);
      decision = await offered(context, refused, (offer) => requireAnswer(context, offer));
    }
    if (decision === undefined) return `healthy for ${formatDuration(soakMs)}`;
    run.notes.push(`promoted by ${decision.by}: ${decision.reason}`);
    return `promoted by ${decision.by}`;
  });
}

/** Lets a person decide while `meanwhile` goes on. @returns the decision, where there is one */
async function offered(
  { run, release }: BlueGreen,
  asks: string,
  meanwhile: (offer: Asked) => Promise<void>,
): Promise<Decision | undefined> {
  const offer = run.console.offer({ release, step: blueGreenLines.soak, asks, actions: ['promote', 'rollback'] });
  try {
    await meanwhile(offer);
    return offer.answer;
  } finally {
    run.console.withdraw(offer);
  }
}

/** Looks at the health of green until its time is over or somebody decides. */
async function watch(context: BlueGreen, offer: Asked): Promise<void> {
  const { run, green, limits } = context;
  const { soakMs } = limits;
  const until = Date.now() + soakMs;
  const everyMs = Math.max(shortestMs, Math.ceil(soakMs / 200));
  for (;;) {
    await checkHealth(green);
    const leftMs = until - Date.now();
    if (leftMs <= 0) break;
    if (await run.console.hasAnswer(offer, Math.min(everyMs, leftMs))) return;
  }
  if (run.input.promote === 'ask') await requireAnswer(context, offer);
}

/** Waits for a person. @throws RolledBack where none decided in time */
async function requireAnswer({ run, release }: BlueGreen, offer: Asked): Promise<void> {
  if (!(await run.console.hasAnswer(offer)))
    throw failure('RolledBack', { message: `soak of ${release}: nobody decided` });
}

/** @returns why the rollback was refused. @throws RolledBack where it was made */
async function tryRollBack(context: BlueGreen, { by, reason }: Decision): Promise<string> {
  try {
    await CancellationScope.nonCancellable(() => rollBack(context));
  } catch (error) {
    const { code, message } = viewFailure(error);
    if (isCancelled(error) || code !== 'RollbackRefused') throw error;
    context.run.notes.push(`${by} wanted to roll back: ${message}`);
    return `${context.green} serves on: ${message}`;
  }
  throw failure('RolledBack', { message: `soak of ${context.release}: ${by} rolled it back: ${reason}` });
}
