import { ApplicationFailure, defineQuery, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { z } from 'zod';
import type { FailureView } from '../../model/failures.ts';
import { nameAllowedKeys } from '../../model/name-allowed-keys.ts';
import type { RunProgress } from '../../model/progress.ts';
import { Approval, Decision, PauseRequest } from '../../model/run-input.ts';
import { messageNames } from '../../model/run-names.ts';

/** The checklist of a run. */
export const progressQuery = defineQuery<RunProgress>(messageNames.progress);
/** The answer to a question, as a run passes it on to the one that asks. */
export const decideSignal = defineSignal<[unknown]>(messageNames.decide);
/** A run that was started by another one tells it of its questions. */
export const noteQuestion = defineSignal<[unknown]>('noteQuestion');

const FailureInQuestion = z.custom<FailureView>(
  (view) => z.looseObject({ code: z.string(), message: z.string(), hint: z.string() }).safeParse(view).success,
);

/** What `noteQuestion` carries: the question that is open now in the run of that id, or null where none is any more. */
export const QuestionNote = z.object({
  workflowId: z.string(),
  question: z
    .object({
      id: z.string(),
      release: z.string(),
      step: z.string(),
      failure: FailureInQuestion.nullable(),
      asks: z.string().optional(),
      actions: z.array(z.string()).optional(),
      since: z.string(),
      workflowId: z.string(),
    })
    .nullable(),
});

/** What a run does with what people say to it. */
export type Listener = {
  readonly approve: (approval: Approval) => string;
  readonly decide: (decision: Decision) => Promise<string>;
  readonly pause: (by: PauseRequest) => string;
  readonly resume: (by: PauseRequest) => string;
  /** A signal that could not be used. */
  readonly rejected: (why: string) => void;
};

/** Registers `approve`, `decide`, `pause` and `resume`, each as an update that answers and as a signal that never throws. */
export function listenToPeople(on: Listener): void {
  listen(
    messageNames.approve,
    Approval,
    on.approve,
    on.rejected,
    'Approve the plan whose digest the run shows: {"by", "reason", "planDigest"}.',
  );
  listen(
    messageNames.decide,
    Decision,
    on.decide,
    on.rejected,
    'Answer what the run asks: {"action": "retry" | "skip" | "abort" | "promote" | "rollback", "by", "reason", "question"?}.',
  );
  listen(
    messageNames.pause,
    PauseRequest,
    on.pause,
    on.rejected,
    'Hold the run before its next release: {"by", "reason"}.',
  );
  listen(messageNames.resume, PauseRequest, on.resume, on.rejected, 'Go on after a pause: {"by", "reason"}.');
}

function listen<T>(
  name: string,
  schema: z.ZodType<T>,
  take: (input: T) => Promise<string> | string,
  rejected: (why: string) => void,
  description: string,
): void {
  const parse = (raw: unknown): T => {
    const parsed = schema.safeParse(raw, { error: nameAllowedKeys });
    if (parsed.success) return parsed.data;
    const problems = parsed.error.issues
      .map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`)
      .join('; ');
    throw ApplicationFailure.nonRetryable(`${description} Got: ${problems}`, 'InputInvalid');
  };
  setHandler(defineUpdate<string, [unknown]>(name), async (raw) => await take(parse(raw)), {
    description,
    validator: (raw) => void parse(raw),
  });
  setHandler(
    defineSignal<[unknown]>(name),
    async (raw) => {
      try {
        await take(parse(raw));
      } catch (error) {
        rejected(error instanceof Error ? error.message : String(error));
      }
    },
    { description },
  );
}
