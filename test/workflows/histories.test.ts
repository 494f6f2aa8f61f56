import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../workers/run-worker.ts';

const folder = join(import.meta.dirname, '..', 'histories');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

describe('the kept histories', () => {
  let bundle: WorkflowBundleWithSourceMap;

  beforeAll(async () => {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
    });
    bundle = await bundleWorkflows();
  }, 60_000);

  it('can be read: the protobuf libraries are one', () => {
    expect(JSON.parse(historyToJSON(historyFromJSON({ events: [] })))).toEqual({ events: [] });
  });

  it('hold each workflow with the outcomes that it can have', () => {
    const kept = files.map((file) => file.replace(/\.json$/, ''));
    for (const wanted of ['backUpRelease.complete', 'recoverPlatform.complete', 'recoverRelease.complete', 'recoverRelease.failed']) {
      expect(kept).toContain(wanted);
    }
  });

  it.each(files)('%s replays', async (file) => {
    const history = JSON.parse(readFileSync(join(folder, file), 'utf8')) as unknown;
    await Worker.runReplayHistory({ workflowBundle: bundle }, history);
  });
});
