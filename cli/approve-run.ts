import { createInterface } from 'node:readline/promises';
import type { Client } from '@temporalio/client';
import { failure } from '../model/failures.ts';
import type { RunProgress } from '../model/progress.ts';
import { messageNames } from '../model/run-names.ts';
import type { FollowedRun } from './follow-run.ts';
import type { GlobalOptions, Session } from './session.ts';

/** Options of a verb whose run waits for an approval. */
export type ApprovalOptions = { yes?: boolean; by?: string; reason?: string };

/** Refuses options that approve nothing. @throws InputInvalid */
export function checkApproval(verb: string, { yes, by, reason, wait }: ApprovalOptions & GlobalOptions): void {
  if (yes !== true) return;
  if (wait === false)
    throw failure('InputInvalid', {
      message: `${verb}: --no-wait cannot be combined with --yes: nobody would be there to approve; lifeboat approve RUN does it later`,
    });
  if (by === undefined || reason === undefined)
    throw failure('InputInvalid', { message: `${verb}: --yes needs --by and --reason` });
}

/** Shows what waits for an approval and sends it: with `--yes`, or after a question on a terminal. */
export async function approveRun(
  session: Session,
  client: Client,
  started: FollowedRun,
  options: ApprovalOptions,
): Promise<void> {
  if (options.yes !== true && !process.stdin.isTTY) return;
  const handle = client.workflow.getHandle(started.workflowId, started.runId);
  for (;;) {
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') return;
    const progress = await handle.query<RunProgress>(messageNames.progress).catch(() => undefined);
    if (progress?.approval !== null && progress !== undefined) {
      const { approval } = progress;
      session.terminal.note(
        [
          ...approval.lines.map((line) => `  ${line}`),
          'It overwrites:',
          ...approval.overwrites.map((line) => `  ! ${line}`),
          `plan ${approval.planDigest}`,
        ].join('\n'),
      );
      const given = options.yes === true ? { by: options.by ?? '', reason: options.reason ?? '' } : await ask();
      if (given === undefined) {
        await handle.cancel();
        return;
      }
      await handle.executeUpdate(messageNames.approve, { args: [{ ...given, planDigest: approval.planDigest }] });
      return;
    }
    if (
      progress?.phase.startsWith('installing') === true ||
      progress?.lines.some((line) => /tier|install/.test(line.title) && line.state !== 'waiting') === true
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

async function ask(): Promise<{ by: string; reason: string } | undefined> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if ((await prompt.question('Overwrite it? Type yes: ')).trim() !== 'yes') return undefined;
    return {
      by: (await prompt.question('Your name: ')).trim() || 'operator',
      reason: (await prompt.question('Reason: ')).trim() || 'none given',
    };
  } finally {
    prompt.close();
  }
}
