import { appendFileSync } from 'node:fs';
import { TestRunner } from 'vitest';

type Task = Parameters<TestRunner['onAfterRunTask']>[0];
type File = Parameters<TestRunner['onCollectStart']>[0];

/**
 * Leaves out the files that would begin after `LIFEBOAT_TEST_UNTIL`, milliseconds since 1970, and writes their names to the file
 * `LIFEBOAT_TEST_NOT_RUN`: test/run.ts prints them.
 */
export default class TimeLimit extends TestRunner {
  onCollected(files: File[]): void {
    const { LIFEBOAT_TEST_UNTIL: until, LIFEBOAT_TEST_NOT_RUN: notRun } = process.env;
    if (until === undefined || notRun === undefined || Date.now() < Number(until)) return;
    for (const file of files) {
      leaveOut(file);
      appendFileSync(notRun, `${file.name}\n`);
    }
  }
}

function leaveOut(task: Task): void {
  task.mode = 'skip';
  if ('tasks' in task) for (const each of task.tasks) leaveOut(each);
}
