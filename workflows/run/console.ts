import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  ApplicationFailure,
  condition,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { type FailureView, failure } from '../../model/failures.ts';
import type { Outcome } from '../../model/outcome.ts';
import {
  type OpenApproval,
  type OpenQuestion,
  type ProgressLine,
  type RunProgress,
  renderProgress,
} from '../../model/progress.ts';
import type { Approval, Decision, PauseRequest } from '../../model/run-input.ts';
import { searchAttributes } from '../../model/run-names.ts';
import { decideSignal, listenToPeople, noteQuestion, progressQuery, QuestionNote } from './messages.ts';

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
  private readonly questions = new Map<string, OpenQuestion & { answer?: Decision }>();
  private childQuestions: OpenQuestion[] = [];
  private pause: RunProgress['paused'] = null;
  private lastRejected: string | null = null;
  private waitedMs = 0;
  private asked = 0;
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
      decide: (decision) => this.takeDecision(decision),
      pause: (by) => this.takePause(by),
      resume: () => this.takeResume(),
      rejected: (why) => {
        this.lastRejected = why;
        this.show();
      },
    });
    setHandler(noteQuestion, (raw) => {
      const note = QuestionNote.safeParse(raw);
      if (note.success) {
        const { workflowId, question } = note.data;
        this.childQuestions = this.childQuestions.filter((each) => each.workflowId !== workflowId);
        if (question !== null) this.childQuestions.push(question);
      } else this.lastRejected = 'noteQuestion is what a run tells the one that started it; nobody else';
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

  private async takeDecision(decision: Decision): Promise<string> {
    const open = [...this.questions.values(), ...this.childQuestions];
    const [only] = open;
    const question =
      decision.question === undefined
        ? open.length === 1
          ? only
          : undefined
        : open.find((each) => each.id === decision.question);
    if (question === undefined) {
      const listed = open.map((each) => each.id).join(', ');
      throw ApplicationFailure.nonRetryable(
        open.length === 0 ? 'the run asks nothing' : `name one of the open questions: ${listed}`,
        'InputInvalid',
      );
    }
    const own = this.questions.get(question.id);
    if (own !== undefined) own.answer = decision;
    else
      await getExternalWorkflowHandle(question.workflowId).signal(decideSignal, { ...decision, question: question.id });
    return `${decision.action}: ${question.release} ${question.step}`;
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
      questions: [
        ...[...this.questions.values()].map(({ answer: _answer, ...question }) => question),
        ...this.childQuestions,
      ],
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
    const { workflowId, parent } = workflowInfo();
    const id = `${release}/${step}#${String((this.asked += 1))}`;
    const since = new Date();
    const question: OpenQuestion & { answer?: Decision } = {
      id,
      release,
      step,
      failure: view,
      since: since.toISOString(),
      workflowId,
    };
    this.questions.set(id, question);
    const before = this.phase;
    this.enter('AwaitingDecision');
    const tell = async (open: OpenQuestion | null): Promise<void> => {
      if (parent === undefined) return;
      // The run above may have ended; then nobody is to be told.
      await getExternalWorkflowHandle(parent.workflowId)
        .signal(noteQuestion, { workflowId, question: open })
        .catch(() => undefined);
    };
    await tell({ id, release, step, failure: view, since: question.since, workflowId });
    try {
      const answered = await condition(() => question.answer !== undefined, patience);
      this.waitedMs += Date.now() - since.getTime();
      return answered && question.answer !== undefined
        ? question.answer
        : { action: 'abort', by: 'lifeboat', reason: `no answer within ${patience}` };
    } finally {
      this.questions.delete(id);
      this.enter(before);
      await tell(null);
    }
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
