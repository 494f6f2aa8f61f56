import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { searchAttributes } from '../model/run-names.ts';
import { connectClient } from '../workers/temporal-connection.ts';

/**
 * Keeps one history for each workflow and outcome of a Temporal server in test/histories, the smallest one, for the
 * replay test: `node scripts/keep-histories.ts [ADDRESS] [NAMESPACE]`. An existing one is kept unless `--renew` is given.
 */
const [address = '127.0.0.1:7233', namespace = 'default'] = process.argv
  .slice(2)
  .filter((word) => !word.startsWith('--'));
const renew = process.argv.includes('--renew');
const folder = join(import.meta.dirname, '..', 'test', 'histories');
await mkdir(folder, { recursive: true });
const client = await connectClient(address, namespace);
const outcomeKey = defineSearchAttributeKey(searchAttributes.outcome, SearchAttributeType.KEYWORD);
const chosen = new Map<string, { workflowId: string; runId: string; size: number }>();
for await (const run of client.workflow.list({ query: 'ExecutionStatus != "Running"' })) {
  const outcome = run.typedSearchAttributes.get(outcomeKey);
  if (outcome === undefined) continue;
  const name = `${run.type}.${outcome}`;
  const known = chosen.get(name);
  if (known === undefined || run.historyLength < known.size)
    chosen.set(name, { workflowId: run.workflowId, runId: run.runId, size: run.historyLength });
}
for (const [name, { workflowId, runId, size }] of [...chosen].sort()) {
  const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  await writeFile(
    join(folder, `${name}.json`),
    `${JSON.stringify({ workflowId, history: JSON.parse(historyToJSON(history)) as object }, null, 1)}\n`,
    {
      flag: renew ? 'w' : 'wx',
    },
  ).then(
    () => process.stdout.write(`${name}.json: ${String(size)} events of ${workflowId}\n`),
    (error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    },
  );
}
await client.connection.close();
