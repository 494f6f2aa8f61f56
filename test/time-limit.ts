import { appendFileSync } from 'node:fs';
import { TestRunner } from 'vitest';
import { secondsOf } from './file-seconds.ts';
import { slowness } from './slowness.ts';

type Task = Parameters<TestRunner['onAfterRunTask']>[0];
type File = Parameters<TestRunner['onCollectStart']>[0];

/**
 * Leaves out the files that would begin after `LIFEBOAT_TEST_LAST_BEGIN` or not end until `LIFEBOAT_TEST_UNTIL`, milliseconds since
 * 1970, and writes their names to the file `LIFEBOAT_TEST_NOT_RUN`: test/run.ts prints them.
 */
export default class TimeLimit extends TestRunner {
  onCollected(files: File[]): void {
    const {
      LIFEBOAT_TEST_LAST_BEGIN: lastBegin,
      LIFEBOAT_TEST_UNTIL: until,
      LIFEBOAT_TEST_NOT_RUN: notRun,
    } = process.env;
    if (lastBegin === undefined || until === undefined || notRun === undefined) return;
    for (const file of files) {
      const end = Date.now() + secondsOf(file.filepath) * 1_000 * slowness;
      if (Date.now() < Number(lastBegin) && end < Number(until)) continue;
      leaveOut(file);
      appendFileSync(notRun, `${file.name}\n`);
    }
  }
}

function leaveOut(task: Task): void {
  task.mode = 'skip';
  if ('tasks' in task) for (const each of task.tasks) leaveOut(each);
}
