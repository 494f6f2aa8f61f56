import type { Command } from 'commander';
import { LifeboatFailure } from '../model/failures.ts';
import { exitCodeOf } from './exit-code.ts';
import { describeFailure, type GlobalOptions, openSession, type Session } from './session.ts';

/** Adds one verb to the program. */
export type Verb = (program: Command) => void;

/**
 * Turns the work of a verb into commander's action: opens the session from the global options, prints a failure as
 * one clear answer and sets the exit code. `work` gets the verb's own options and arguments.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names its options once
export function act<Options extends object>(
  work: (session: Session, options: Options & GlobalOptions, ...args: string[][]) => Promise<number>,
): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1) as Command;
    const options: Options & GlobalOptions = command.optsWithGlobals();
    const session = openSession(options);
    const given = (command.processedArgs as (string | string[] | undefined)[]).map((value) =>
      value === undefined ? [] : [value].flat(),
    );
    try {
      process.exitCode = await work(session, options, ...given);
    } catch (error) {
      process.exitCode = reportError(session, error);
    }
    // Connections and a local server keep the process alive otherwise; output is flushed before.
    await new Promise((resolve) => process.stdout.write('', resolve));
    process.exit(process.exitCode);
  };
}

/** Prints what stopped a command: a failure of the table, or a defect. */
export function reportError(session: Session, error: unknown): number {
  const { terminal } = session;
  if (error instanceof LifeboatFailure) {
    if (terminal.json)
      terminal.printJson({ outcome: exitCodeOf(error) === 2 ? 'refused' : 'failed', failure: error.view() });
    for (const line of describeFailure(error.view())) terminal.note(line);
  } else {
    const message = error instanceof Error ? error.message : String(error);
    if (terminal.json) terminal.printJson({ outcome: 'failed', failure: { code: 'Defect', message } });
    terminal.note(`✗ ${message}`);
    terminal.note('    This is a defect; run it again with --debug and report what it prints.');
  }
  if (session.options.debug === true && error instanceof Error) terminal.note(error.stack ?? '');
  return exitCodeOf(error);
}
