import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ApplicationFailure,
  condition,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { type FailureView, failure } from '../../model/failures.ts';
import type { Outcome } from '../../model/outcome.ts';
import { type OpenApproval, type ProgressLine, type RunProgress, renderProgress } from '../../model/progress.ts';
import type { Approval, Decision, PauseRequest } from '../../model/run-input.ts';
import { searchAttributes } from '../../model/run-names.ts';
import { listenToPeople, noteQuestion, progressQuery } from './messages.ts';
import { type Asked, Questions } from './questions.ts';

/** Key of a search attribute; all of Lifeboat's are of type Keyword. */
export const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);

/** How long a person has to answer before the run gives up, with nothing more changed. */
const patience = '24h';

type Line = { -readonly [Key in keyof ProgressLine]: ProgressLine[Key] };

/**
 * What people see of a run and say to it: the checklist, the search attributes, the `progress` query, and the messages
 * `approve`, `decide`, `pause`, `resume`, each as an update and as a signal that never throws.
 */
export class RunConsole {
  private readonly started = new Date();
  private lines: Line[] = [];
  private outcome: Outcome | 'running' = 'running';
  private phase = 'starting';
  private approval: (OpenApproval & { given?: Approval }) | null = null;
  private readonly questions = new Questions();
  private pause: RunProgress['paused'] = null;
  private lastRejected: string | null = null;
  private waitedMs = 0;
  private readonly type: string;
  private readonly title: string;
  private readonly pausable: boolean;

  /** Registers the handlers; to be made before the first await of a workflow. */
  constructor(of: {
    type: string;
    title: string;
    release?: string;
    cluster?: string;
    trigger: string;
    /** Whether the run stops between releases when it is asked to; default true. */
    pausable?: boolean;
  }) {
    this.type = of.type;
    this.title = of.title;
    this.pausable = of.pausable ?? true;
    upsertSearchAttributes([
      { key: keyword(searchAttributes.phase), value: 'starting' },
      { key: keyword(searchAttributes.trigger), value: of.trigger },
      ...(of.release === undefined ? [] : [{ key: keyword(searchAttributes.release), value: of.release }]),
    ]);
    setHandler(progressQuery, () => this.view(), {
      description: 'The checklist of the run, what it waits for, and the command to type next.',
    });
    listenToPeople({
      approve: (approval) => this.takeApproval(approval),
      decide: (decision) => this.questions.take(decision),
      pause: (by) => this.takePause(by),
      resume: () => this.takeResume(),
      rejected: (why) => {
        this.lastRejected = why;
        this.show();
      },
    });
    setHandler(noteQuestion, (raw) => {
      this.lastRejected = this.questions.note(raw) ?? this.lastRejected;
      this.show();
    });
    this.show();
  }

  private takeApproval(given: Approval): string {
    if (this.approval === null) throw ApplicationFailure.nonRetryable('the run waits for no approval', 'InputInvalid');
    if (given.planDigest !== this.approval.planDigest) {
      throw ApplicationFailure.nonRetryable(
        `the run shows the plan ${this.approval.planDigest}, not ${given.planDigest}`,
        'PlanDigestMismatch',
      );
    }
    this.approval.given = given;
    return `approved by ${given.by}`;
  }

  private takePause(by: PauseRequest): string {
    if (!this.pausable)
      throw ApplicationFailure.nonRetryable(
        'a run of one release has nothing to pause before; cancel stops it and puts everything back',
        'InputInvalid',
      );
    this.pause ??= { ...by, since: new Date().toISOString() };
    this.show();
    return 'pauses before the next release';
  }

  private takeResume(): string {
    this.pause = null;
    this.show();
    return 'goes on';
  }

  view(): RunProgress {
    const { given: _, ...approval } = this.approval ?? { given: undefined };
    return {
      type: this.type,
      workflowId: workflowInfo().workflowId,
      title: this.title,
      outcome: this.outcome,
      phase: this.phase,
      startedAt: this.started.toISOString(),
      lines: this.lines.map((line) => ({ ...line })),
      approval: this.approval === null ? null : (approval as OpenApproval),
      questions: this.questions.all,
      paused: this.pause,
      lastRejected: this.lastRejected,
      waitedForPeopleMs: this.waitedMs,
    };
  }

  private show(): void {
    setCurrentDetails(renderProgress(this.view()));
  }

  /** Milliseconds that the run has waited for people so far. */
  get waitedForPeopleMs(): number {
    return this.waitedMs;
  }

  get startedAt(): Date {
    return this.started;
  }

  /** Orders the checklist by these titles, which come first; those that it lacks wait for their turn. */
  announce(titles: readonly string[]): void {
    const named = titles.map((title) => this.line(title));
    this.lines = [...named, ...this.lines.filter((line) => !named.includes(line))];
    this.show();
  }

  private line(title: string): Line {
    const found = this.lines.find((line) => line.title === title);
    if (found !== undefined) return found;
    const line: Line = { title, state: 'waiting', note: '', startedAt: null, durationMs: null };
    this.lines.push(line);
    return line;
  }

  /** Marks a line: running, done, failed or skipped, with a note. */
  mark(title: string, state: ProgressLine['state'], note = ''): void {
    const line = this.line(title);
    const now = new Date();
    if (state === 'running') line.startedAt ??= now.toISOString();
    if (state === 'done' || state === 'failed')
      line.durationMs = line.startedAt === null ? null : now.getTime() - Date.parse(line.startedAt);
    line.state = state;
    line.note = note;
    this.show();
  }

  /** Names what the run is at, in the search attribute and on the checklist. */
  enter(phase: string): void {
    this.phase = phase;
    upsertSearchAttributes([{ key: keyword(searchAttributes.phase), value: phase.slice(0, 250) }]);
    this.show();
  }

  /** Sets a search attribute of the run. */
  attribute(name: keyof typeof searchAttributes, value: string): void {
    upsertSearchAttributes([{ key: keyword(searchAttributes[name]), value: value.slice(0, 250) }]);
  }

  /** Holds the run while it is paused; called between releases. */
  async holdWhilePaused(): Promise<void> {
    if (this.pause === null) return;
    const since = Date.now();
    await condition(() => this.pause === null);
    this.waitedMs += Date.now() - since;
  }

  /** Waits for the approval of a plan. @throws ApprovalTimeout */
  async approve(plan: {
    planDigest: string;
    lines: readonly string[];
    overwrites: readonly string[];
  }): Promise<Approval> {
    const since = new Date();
    this.approval = {
      planDigest: plan.planDigest,
      lines: plan.lines.slice(0, 40),
      overwrites: plan.overwrites.slice(0, 40),
      since: since.toISOString(),
    };
    const before = this.phase;
    this.enter('AwaitingApproval');
    const given = await condition(() => this.approval?.given !== undefined, patience);
    const approval = this.approval.given;
    this.approval = null;
    this.waitedMs += Date.now() - since.getTime();
    this.enter(before);
    if (!given || approval === undefined)
      throw failure('ApprovalTimeout', { message: `wait for approval: none within ${patience}` });
    return approval;
  }

  /** Asks what to do about a failed step; without an answer in time it is aborted. */
  async ask(release: string, step: string, view: FailureView): Promise<Decision> {
    const asked = this.questions.open({ release, step, failure: view });
    const before = this.phase;
    const since = Date.now();
    this.enter('AwaitingDecision');
    await this.questions.tellParent(asked);
    try {
      const answered = await condition(() => asked.answer !== undefined, patience);
      this.waitedMs += Date.now() - since;
      return answered && asked.answer !== undefined
        ? asked.answer
        : { action: 'abort', by: 'lifeboat', reason: `no answer within ${patience}` };
    } finally {
      this.questions.close(asked);
      this.enter(before);
      await this.questions.tellParent(null);
    }
  }

  /** Lets a person choose while the run goes on; `answer` of what is returned is there once somebody did. */
  offer(of: { release: string; step: string; asks: string; actions: readonly Decision['action'][] }): Asked {
    const asked = this.questions.open({ ...of, failure: null });
    this.show();
    return asked;
  }

  /** Takes an offer back. */
  withdraw(asked: Asked): void {
    this.questions.close(asked);
    this.show();
  }

  /** Waits for an answer to an offer. @returns false where none came in that time, which defaults to what people get */
  async hasAnswer(asked: Asked, withinMs?: number): Promise<boolean> {
    return await condition(() => asked.answer !== undefined, withinMs ?? patience);
  }

  /** Shows how the run ended. */
  end(outcome: Outcome): void {
    this.outcome = outcome;
    upsertSearchAttributes([
      { key: keyword(searchAttributes.outcome), value: outcome },
      { key: keyword(searchAttributes.phase), value: 'ended' },
    ]);
    this.phase = 'ended';
    this.show();
  }
}
