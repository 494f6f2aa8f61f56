import { failure } from '../../model/failures.ts';
import { exitCodes } from '../../model/outcome.ts';
import { controlQueue, searchAttributes } from '../../model/run-names.ts';
import { followRun, printResult } from '../follow-run.ts';
import { renderReport } from '../render-report.ts';
import { readReport } from '../run-reports.ts';
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
      act<{ limit: string }>(async (session, { limit: text }) => {
        const limit = Number(text);
        if (!Number.isInteger(limit) || limit < 1)
          throw failure('InputInvalid', { message: `read --limit: a number from 1 on, not ${text}` });
        const client = await session.client();
        const { defineSearchAttributeKey, SearchAttributeType } = await import('@temporalio/common');
        const rows: Record<string, string>[] = [];
        for await (const run of client.workflow.list({
          query: `TaskQueue = "${controlQueue}"`,
          pageSize: limit,
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
          if (rows.length >= limit) break;
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
        return printResult(await followRun(session, run), run, session.terminal);
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
