import type { WorkflowHandle } from '@temporalio/client';
import { failure } from '../../model/failures.ts';
import type { RunProgress } from '../../model/progress.ts';
import { Decision } from '../../model/run-input.ts';
import { messageNames } from '../../model/run-names.ts';
import type { Session } from '../session.ts';
import { act, type Verb } from '../verb.ts';

const actions: readonly string[] = Decision.shape.action.options;

type Person = { by?: string; reason?: string };

/** A run by its workflow id. @throws InputInvalid where Temporal knows none */
export async function findRun(session: Session, workflowId: string): Promise<WorkflowHandle> {
  const handle = (await session.client()).workflow.getHandle(workflowId);
  try {
    await handle.describe();
    return handle;
  } catch (error) {
    const { WorkflowNotFoundError } = await import('@temporalio/client');
    if (error instanceof WorkflowNotFoundError)
      throw failure('InputInvalid', {
        message: `find run ${workflowId}: Temporal knows none of that id; lifeboat runs lists them`,
        cause: error,
      });
    throw error;
  }
}

async function send(session: Session, workflowId: string, name: string, input: object): Promise<number> {
  const handle = await findRun(session, workflowId);
  try {
    const said = await handle.executeUpdate<string, [object]>(name, { args: [input] });
    return answer(session, workflowId, said);
  } catch (error) {
    const { WorkflowUpdateFailedError } = await import('@temporalio/client');
    if (error instanceof WorkflowUpdateFailedError)
      throw failure('InputInvalid', {
        message: `${name} ${workflowId}: ${error.cause?.message ?? error.message}`,
        cause: error,
      });
    throw error;
  }
}

function answer({ terminal }: Session, workflowId: string, said: string): number {
  if (terminal.json) terminal.printJson({ workflowId, answer: said });
  else terminal.print(said);
  return 0;
}

function person(options: Person): { by: string; reason: string } {
  if (options.by === undefined || options.reason === undefined)
    throw failure('InputInvalid', { message: 'say who and why: --by NAME --reason TEXT' });
  return { by: options.by, reason: options.reason };
}

/** `lifeboat approve RUN --plan DIGEST` */
export const approve: Verb = (program) => {
  program
    .command('approve')
    .description('approve the plan that a run waits with')
    .argument('<run>')
    .option('--plan <digest>', 'the digest that was shown; default: shows it and asks for it')
    .option('--by <name>')
    .option('--reason <text>')
    .action(
      act<Person & { plan?: string }>(async (session, options, [run = ''] = []) => {
        if (options.plan === undefined) {
          const { approval } = await (await findRun(session, run)).query<RunProgress>(messageNames.progress);
          if (approval === null) throw failure('InputInvalid', { message: `approve ${run}: it waits for no approval` });
          session.terminal.note(
            [
              'it overwrites:',
              ...approval.overwrites.map((line) => `  ! ${line}`),
              `then: lifeboat approve ${run} --plan ${approval.planDigest} --by YOU --reason …`,
            ].join('\n'),
          );
          return 2;
        }
        return await send(session, run, messageNames.approve, { ...person(options), planDigest: options.plan });
      }),
    );
};

/** `lifeboat decide RUN retry|skip|abort|promote|rollback` */
export const decide: Verb = (program) => {
  program
    .command('decide')
    .description('answer what a run asks')
    .argument('<run>')
    .argument('<action>', 'retry, skip or abort; of a soak promote or rollback')
    .option('--question <id>', 'needed where more than one is open')
    .option('--by <name>')
    .option('--reason <text>')
    .action(
      act<Person & { question?: string }>(async (session, options, [run = ''] = [], [action = ''] = []) => {
        if (!actions.includes(action))
          throw failure('InputInvalid', {
            message: `decide: the action is one of ${actions.join(', ')}, not ${action}`,
          });
        return await send(session, run, messageNames.decide, {
          ...person(options),
          action,
          ...(options.question === undefined ? {} : { question: options.question }),
        });
      }),
    );
};

/** `lifeboat pause RUN` */
export const pause: Verb = (program) => {
  program
    .command('pause')
    .description('hold a run before its next release')
    .argument('<run>')
    .option('--by <name>')
    .option('--reason <text>')
    .action(
      act<Person>(
        async (session, options, [run = ''] = []) => await send(session, run, messageNames.pause, person(options)),
      ),
    );
};

/** `lifeboat resume RUN` */
export const resume: Verb = (program) => {
  program
    .command('resume')
    .description('let a paused run go on')
    .argument('<run>')
    .option('--by <name>')
    .option('--reason <text>')
    .action(
      act<Person>(
        async (session, options, [run = ''] = []) => await send(session, run, messageNames.resume, person(options)),
      ),
    );
};

/** `lifeboat cancel RUN` */
export const cancel: Verb = (program) => {
  program
    .command('cancel')
    .description('stop a run; what it had begun is put back. Never terminate one: that puts back nothing')
    .argument('<run>')
    .action(
      act(async (session, _options, [run = ''] = []) => {
        await (await findRun(session, run)).cancel();
        return answer(session, run, `asked ${run} to cancel; lifeboat watch ${run} shows when it has`);
      }),
    );
};
