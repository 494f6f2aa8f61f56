import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, inject, it } from 'vitest';

const folder = join(import.meta.dirname, '..', 'histories');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

describe('the kept histories', () => {
  beforeAll(() => {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
    });
  });

  it('can be read: the protobuf libraries are one', () => {
    const kept = JSON.parse(readFileSync(join(folder, 'backUpRelease.complete.json'), 'utf8')) as { events: object[] };
    const again = JSON.parse(historyToJSON(historyFromJSON(kept))) as { events: object[] };
    expect(again.events).toHaveLength(kept.events.length);
  });

  it('hold each workflow with the outcomes that it can have', () => {
    const kept = files.map((file) => file.replace(/\.json$/, ''));
    for (const wanted of [
      'backUpRelease.complete',
      'recoverRelease.complete',
      'recoverRelease.failed',
      'recoverRelease.refused',
    ]) {
      expect(kept).toContain(wanted);
    }
  });

  it.each(files)('%s replays', async (file) => {
    const history = JSON.parse(readFileSync(join(folder, file), 'utf8')) as unknown;
    await Worker.runReplayHistory({ workflowBundle: { codePath: inject('workflowBundle') } }, history);
  });
});
