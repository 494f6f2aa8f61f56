import { ApplicationFailure, getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import { type OpenQuestion, stepActions } from '../../model/progress.ts';
import type { Decision } from '../../model/run-input.ts';
import { decideSignal, noteQuestion, QuestionNote } from './messages.ts';

/** A question of this run; `answer` comes with the decision of a person. */
export type Asked = OpenQuestion & { answer?: Decision };

/** The questions of a run that wait for a person, and those of the runs that it started. */
export class Questions {
  private readonly own = new Map<string, Asked>();
  private ofChildren: OpenQuestion[] = [];
  private count = 0;

  /** Opens a question. It stays open until `close`. */
  open(of: Pick<OpenQuestion, 'release' | 'step' | 'failure' | 'asks' | 'actions'>): Asked {
    const id = `${of.release}/${of.step}#${String((this.count += 1))}`;
    const asked: Asked = { id, ...of, since: new Date().toISOString(), workflowId: workflowInfo().workflowId };
    this.own.set(id, asked);
    return asked;
  }

  close({ id }: Asked): void {
    this.own.delete(id);
  }

  get all(): OpenQuestion[] {
    return [...[...this.own.values()].map(({ answer: _answer, ...question }) => question), ...this.ofChildren];
  }

  /** Takes an answer, or passes it on to the run that asks. @returns what was understood */
  async take(decision: Decision): Promise<string> {
    const open = this.all;
    const question =
      decision.question === undefined
        ? open.length === 1
          ? open[0]
          : undefined
        : open.find((each) => each.id === decision.question);
    if (question === undefined) {
      const listed = open.map((each) => each.id).join(', ');
      throw ApplicationFailure.nonRetryable(
        open.length === 0 ? 'the run asks nothing' : `name one of the open questions: ${listed}`,
        'InputInvalid',
      );
    }
    const actions: readonly string[] = question.actions ?? stepActions;
    if (!actions.includes(decision.action))
      throw ApplicationFailure.nonRetryable(
        `${question.id} is answered with ${actions.join(' or ')}, not ${decision.action}`,
        'InputInvalid',
      );
    const own = this.own.get(question.id);
    if (own !== undefined) own.answer = decision;
    else
      await getExternalWorkflowHandle(question.workflowId).signal(decideSignal, { ...decision, question: question.id });
    return `${decision.action}: ${question.release} ${question.step}`;
  }

  /** What a run that this one started asks, or that it asks no more. @returns why it could not be used */
  note(raw: unknown): string | undefined {
    const note = QuestionNote.safeParse(raw);
    if (!note.success) return 'noteQuestion is what a run tells the one that started it; nobody else';
    const { workflowId, question } = note.data;
    this.ofChildren = this.ofChildren.filter((each) => each.workflowId !== workflowId);
    if (question !== null) this.ofChildren.push(question);
    return undefined;
  }

  /** Tells the run above of a question, or that it is answered. */
  async tellParent(asked: Asked | null): Promise<void> {
    const { workflowId, parent } = workflowInfo();
    if (parent === undefined) return;
    // The run above may have ended; then nobody is to be told.
    await getExternalWorkflowHandle(parent.workflowId)
      .signal(noteQuestion, { workflowId, question: asked })
      .catch(() => undefined);
  }
}
