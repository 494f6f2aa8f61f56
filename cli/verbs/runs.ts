import { WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { failure } from '../../model/failures.ts';
import { exitCodes, type RunResult } from '../../model/outcome.ts';
import { Signed } from '../../model/recovery-point.ts';
import { controlQueue, searchAttributes } from '../../model/run-names.ts';
import { openSigned } from '../../transfer/keys.ts';
import { followRun, printResult } from '../follow-run.ts';
import { renderReport } from '../render-report.ts';
import type { Session } from '../session.ts';
import { table, when } from '../terminal.ts';
import { act, type Verb } from '../verb.ts';
import { findRun } from './messages.ts';

/** `lifeboat runs` */
export const runs: Verb = (program) => {
  program
    .command('runs')
    .description('list runs, newest first')
    .option('--limit <n>', 'how many', '20')
    .action(
      act<{ limit: string }>(async (session, { limit }) => {
        const client = await session.client();
        const rows: Record<string, string>[] = [];
        for await (const run of client.workflow.list({
          query: `TaskQueue = "${controlQueue}"`,
          pageSize: Math.max(1, Number(limit)),
        })) {
          const attribute = (name: string): string =>
            run.typedSearchAttributes.get(defineSearchAttributeKey(name, SearchAttributeType.KEYWORD)) ?? '';
          const ended = attribute(searchAttributes.outcome);
          rows.push({
            workflowId: run.workflowId,
            runId: run.runId,
            type: run.type,
            startedAt: run.startTime.toISOString(),
            outcome:
              ended === ''
                ? run.status.name === 'RUNNING'
                  ? `running: ${attribute(searchAttributes.phase)}`
                  : run.status.name.toLowerCase()
                : ended,
          });
          if (rows.length >= Number(limit)) break;
        }
        if (session.terminal.json) session.terminal.printJson(rows);
        else
          session.terminal.print(
            table(
              ['STARTED (UTC)', 'TYPE', 'OUTCOME', 'RUN'],
              rows.map((row) => [
                when(row['startedAt'] ?? ''),
                row['type'] ?? '',
                row['outcome'] ?? '',
                row['workflowId'] ?? '',
              ]),
            ),
          );
        return 0;
      }),
    );
};

/** `lifeboat watch RUN` */
export const watch: Verb = (program) => {
  program
    .command('watch')
    .description('follow a run to its end')
    .argument('<run>')
    .action(
      act(async (session, _options, [workflowId = ''] = []) => {
        const described = await (await findRun(session, workflowId)).describe();
        const run = { workflowId, runId: described.runId, type: described.type };
        return printResult(await followRun(await session.client(), run, session.terminal), run, session.terminal);
      }),
    );
};

/** `lifeboat report RUN` */
export const report: Verb = (program) => {
  program
    .command('report')
    .description('print the signed report of a run out of the store; Temporal need not be there')
    .argument('<run>', 'a run id, or a workflow id where Temporal or the store knows it')
    .action(
      act(async (session, _options, [asked = ''] = []) => {
        const read = await readReport(session, asked);
        const { workflowId, runId } = read;
        if (session.terminal.json) session.terminal.printJson(read);
        else session.terminal.print(renderReport(read, { workflowId, runId, terminal: session.terminal }));
        return exitCodes[read.outcome];
      }),
    );
};

type Report = RunResult & { workflowId: string; runId: string };

async function readReport(session: Session, asked: string): Promise<Report> {
  const store = await session.store();
  const kit = await session.kit();
  const open = async (key: string): Promise<Report> => {
    const signed = Signed.parse(JSON.parse(Buffer.from(await store.get(key)).toString('utf8')));
    return openSigned(signed, [kit.signing.publicKey], key) as Report;
  };
  if ((await store.head(`runs/${asked}/report.json`)) !== undefined) return await open(`runs/${asked}/report.json`);
  const described = await session
    .client()
    .then(async (client) => await client.workflow.getHandle(asked).describe())
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError || (error instanceof Error && error.name === 'LifeboatFailure'))
        return undefined;
      throw error;
    });
  if (described !== undefined && (await store.head(`runs/${described.runId}/report.json`)) !== undefined)
    return await open(`runs/${described.runId}/report.json`);
  for await (const { key } of store.list('runs/')) {
    if (!key.endsWith('/report.json')) continue;
    const found = await open(key);
    if (found.workflowId === asked) return found;
  }
  throw failure('InputInvalid', {
    message: `find report of ${asked}: the store has none; a run that goes on has no report yet`,
  });
}
