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

/** A question that a failed step asks. */
export type OpenQuestion = {
  readonly id: string;
  readonly release: string;
  readonly step: string;
  readonly failure: FailureView;
  readonly since: string;
  /** The run that asks; a platform run passes the answer on to it. */
  readonly workflowId: string;
};

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

/** A run's checklist as Markdown, for the details that the Temporal UI shows; the command to type next stands last. */
export function renderProgress(progress: RunProgress): string {
  const parts = [`**${progress.title}**: ${progress.outcome === 'running' ? progress.phase : progress.outcome}`, ''];
  for (const line of progress.lines)
    parts.push(`- ${signs[line.state]} ${line.title}${line.note === '' ? '' : `: ${line.note}`}`);
  if (progress.paused !== null)
    parts.push(
      '',
      `Paused by ${progress.paused.by}: ${progress.paused.reason}. Go on: \`lifeboat resume ${progress.workflowId}\``,
    );
  if (progress.approval !== null) {
    parts.push(
      '',
      '**Waits for approval.** It will overwrite:',
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
    parts.push(
      '',
      `**${question.release} ${question.step}**: ${question.failure.code}: ${question.failure.message}`,
      question.failure.hint,
      '',
    );
    parts.push(
      'Answer by the update `decide` with',
      '```json',
      `{"question": "${question.id}", "action": "retry", "by": "you", "reason": "…"}`,
      '```',
    );
    parts.push(
      `(retry, skip or abort) or \`lifeboat decide ${progress.workflowId} retry --question ${question.id} --by you --reason …\``,
    );
  }
  if (progress.lastRejected !== null) parts.push('', `Last message refused: ${progress.lastRejected}`);
  return parts.join('\n').slice(0, 3_900);
}
