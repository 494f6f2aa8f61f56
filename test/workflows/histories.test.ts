import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { replay } from '../replay.ts';

const folder = join(import.meta.dirname, '..', 'histories');
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

describe('the kept histories', () => {
  const errors = new Map<string, Error | undefined>();

  beforeAll(async () => {
    Runtime.install({
      logger: new DefaultLogger('ERROR'),
      telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } },
    });
    for await (const { run, error } of replay(files.map((file) => ({ file, ...read(file) }))))
      errors.set(run.file, error);
  });

  it('can be read: the protobuf libraries are one', () => {
    const { history } = read('backUpRelease.complete.json');
    const again = JSON.parse(historyToJSON(historyFromJSON(history))) as { events: object[] };
    expect(again.events).toHaveLength(history.events.length);
  });

  it('hold each workflow with the outcomes that it can have', () => {
    const kept = files.map((file) => file.replace(/\.json$/, ''));
    for (const wanted of [
      ...['complete', 'failed', 'partial'].map((outcome) => `backUpPlatform.${outcome}`),
      ...['cancelled', 'complete', 'failed', 'refused'].map((outcome) => `backUpRelease.${outcome}`),
      ...['complete', 'failed', 'refused'].map((outcome) => `expireRecoveryPoints.${outcome}`),
      // The host of what is gone is backed up before it is written into.
      ...['complete', 'hosts-copied'].map((outcome) => `recoverPlatform.${outcome}`),
      ...['cancelled', 'complete', 'failed', 'hosts-copied', 'refused'].map((outcome) => `recoverRelease.${outcome}`),
      ...['complete', 'partial', 'refused'].map((outcome) => `replicateRecoveryPoints.${outcome}`),
      ...['cancelled', 'complete', 'failed', 'partial', 'refused'].map((outcome) => `runDrill.${outcome}`),
      'selfTest.complete',
      ...['cancelled', 'complete', 'failed', 'refused', 'rolling', 'blue-green', 'rolled-back', 'rollback-refused'].map(
        (outcome) => `upgradeRelease.${outcome}`,
      ),
      ...['complete', 'failed', 'partial'].map((outcome) => `verifyRecoveryPoint.${outcome}`),
    ]) {
      expect(kept).toContain(wanted);
    }
  });

  it.each(files)('%s replays', (file) => {
    expect(errors.has(file)).toBe(true);
    expect(errors.get(file)).toBeUndefined();
  });
});

function read(file: string): { workflowId: string; history: { events: object[] } } {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as ReturnType<typeof read>;
}
