import type { FailureView } from './failures.ts';
import type { Outcome } from './outcome.ts';

/** A line of a run's checklist: a phase, a tier or a release. */
export type ProgressLine = {
  readonly title: string;
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'skipped';
  readonly note: string;
  /** ISO-8601 UTC, of its start. */
  readonly startedAt: string | null;
  readonly durationMs: number | null;
};

/** A question that a failed step asks, or that a run offers while it goes on. */
export type OpenQuestion = {
  readonly id: string;
  readonly release: string;
  readonly step: string;
  /** What failed; null where nothing did. */
  readonly failure: FailureView | null;
  /** What may be decided, where nothing failed. */
  readonly asks?: string | undefined;
  /** Answers that fit; default: retry, skip, abort. */
  readonly actions?: readonly string[] | undefined;
  readonly since: string;
  /** The run that asks; a platform run passes the answer on to it. */
  readonly workflowId: string;
};

/** What a failed step is answered with. */
export const stepActions = ['retry', 'skip', 'abort'] as const;

/** What a question says, the hint below it, and the answers that fit. */
export function describeQuestion({ failure, asks = '', actions = stepActions }: OpenQuestion): {
  readonly text: string;
  readonly hints: readonly string[];
  readonly actions: readonly string[];
} {
  return failure === null
    ? { text: asks, hints: [], actions }
    : { text: `${failure.code}: ${failure.message}`, hints: [failure.hint], actions };
}

/** What a run that overwrites live data waits for. */
export type OpenApproval = {
  readonly planDigest: string;
  readonly lines: readonly string[];
  readonly overwrites: readonly string[];
  readonly since: string;
};

/** The answer of the `progress` query of every run. */
export type RunProgress = {
  readonly type: string;
  readonly workflowId: string;
  readonly title: string;
  readonly outcome: Outcome | 'running';
  readonly phase: string;
  readonly startedAt: string;
  readonly lines: readonly ProgressLine[];
  readonly approval: OpenApproval | null;
  readonly questions: readonly OpenQuestion[];
  readonly paused: { readonly by: string; readonly reason: string; readonly since: string } | null;
  /** A message that could not be used, and why. */
  readonly lastRejected: string | null;
  readonly waitedForPeopleMs: number;
};

const signs = { waiting: ' ', running: '…', done: '✓', failed: '✗', skipped: '!' } as const;

/** Characters of details that Temporal keeps, with a margin. */
const mostCharacters = 3_900;

/** A run's checklist as Markdown, for the details that the Temporal UI shows; the command to type next stands last. */
export function renderProgress(progress: RunProgress): string {
  const title = `**${progress.title}**: ${progress.outcome === 'running' ? progress.phase : progress.outcome}`;
  const checklist = progress.lines.map(
    (line) => `- ${signs[line.state]} ${line.title}${line.note === '' ? '' : `: ${line.note}`}`,
  );
  const messages = renderMessages(progress);
  // What has to be answered is never cut off: a list that is too long loses its oldest lines.
  const room = mostCharacters - [title, '', '', ...messages].join('\n').length - 40;
  let hidden = 0;
  while (hidden < checklist.length && checklist.slice(hidden).join('\n').length > room) hidden += 1;
  const shown = hidden === 0 ? checklist : [`- ${String(hidden)} lines before these`, ...checklist.slice(hidden)];
  return [title, '', ...shown, ...messages].join('\n').slice(0, mostCharacters);
}

/** What the run waits for, each with the message and the command that answer it. */
function renderMessages(progress: RunProgress): string[] {
  const parts: string[] = [];
  if (progress.paused !== null)
    parts.push(
      '',
      `Paused by ${progress.paused.by}: ${progress.paused.reason}. Go on: \`lifeboat resume ${progress.workflowId}\``,
    );
  if (progress.approval !== null) {
    parts.push(
      '',
      '**Waits for approval.** It will overwrite:',
      '',
      ...progress.approval.overwrites.map((line) => `- ${line}`),
      '',
    );
    parts.push(
      'Approve by the update `approve` with',
      '```json',
      `{"by": "you", "reason": "…", "planDigest": "${progress.approval.planDigest}"}`,
      '```',
    );
    parts.push(`or \`lifeboat approve ${progress.workflowId} --by you --reason …\``);
  }
  for (const question of progress.questions) {
    const { id } = question;
    const { text, hints, actions } = describeQuestion(question);
    const [first = ''] = actions;
    parts.push('', `**${question.release} ${question.step}**: ${text}`, ...hints, '');
    parts.push(
      'Answer by the update `decide` with',
      '```json',
      `{"question": "${id}", "action": "${first}", "by": "you", "reason": "…"}`,
      '```',
    );
    parts.push(
      `(${actions.slice(0, -1).join(', ')} or ${actions.at(-1) ?? ''}) or \`lifeboat decide ${progress.workflowId} ${first} --question ${id} --by you --reason …\``,
    );
  }
  if (progress.lastRejected !== null) parts.push('', `Last message refused: ${progress.lastRejected}`);
  return parts;
}
