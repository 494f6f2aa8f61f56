import { pMapIterable } from 'p-map';
import { failure, failures, LifeboatFailure } from '../model/failures.ts';
import type { RunResult } from '../model/outcome.ts';
import { readSigned, runKey } from '../transfer/run-documents.ts';
import type { Session } from './session.ts';

/** Reports that are read beside each other where one is looked for by its workflow id. */
const reportsAtOnce = 16;

type Report = RunResult & { workflowId: string; runId: string };

function keyOf(runId: string): string {
  return runKey(runId, 'report');
}

/** A report by its key. @throws ObjectNotFound, ManifestInvalid, SignatureInvalid, SignerUnknown, Store* */
async function openReport(session: Session, key: string): Promise<Report> {
  return (await readSigned({ store: await session.store(), kit: await session.kit() }, key)) as Report;
}

/**
 * What a cancelled run left in its report: Temporal keeps no result of it. Where there is none to be read, what was put back is not
 * known, and that is no success.
 */
export async function cancelledResult(session: Session, runId: string, bare: RunResult): Promise<RunResult> {
  try {
    return await openReport(session, keyOf(runId));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const note = `what was put back is not known, its report cannot be read: ${why}; lifeboat repair --dry-run shows what is left`;
    return { ...bare, compensation: 'incomplete', notes: [note] };
  }
}

/** The signed report of a run: by its run id, or by a workflow id that Temporal or a report knows. @throws InputInvalid, Store* */
export async function readReport(session: Session, asked: string): Promise<Report> {
  const store = await session.store();
  const open = async (key: string): Promise<Report> => await openReport(session, key);
  if ((await store.head(keyOf(asked))) !== undefined) return await open(keyOf(asked));
  const described = await session
    .client()
    .then(async (client) => await client.workflow.getHandle(asked).describe())
    .catch(async (error: unknown) => {
      const { WorkflowNotFoundError } = await import('@temporalio/client');
      if (error instanceof WorkflowNotFoundError || (error instanceof Error && error.name === 'LifeboatFailure'))
        return undefined;
      throw error;
    });
  if (described !== undefined && (await store.head(keyOf(described.runId))) !== undefined)
    return await open(keyOf(described.runId));
  const keys: string[] = [];
  for await (const { key } of store.list('runs/')) if (key.endsWith('/report.json')) keys.push(key);
  // One that cannot be read hides no other.
  const reports = pMapIterable(
    keys,
    async (key) =>
      await open(key).catch((error: unknown) => {
        if (error instanceof LifeboatFailure && failures[error.code].class === 'transient') throw error;
        return key;
      }),
    { concurrency: reportsAtOnce },
  );
  const unreadable: string[] = [];
  for await (const found of reports)
    if (typeof found === 'string') unreadable.push(found);
    else if (found.workflowId === asked) return found;
  const others = unreadable.length === 0 ? '' : `; it may be one that cannot be read: ${unreadable.join(', ')}`;
  throw failure('InputInvalid', {
    message: `find report of ${asked}: the store has none; a run that goes on has no report yet${others}`,
  });
}
