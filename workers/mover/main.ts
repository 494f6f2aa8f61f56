import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LifeboatFailure } from '../../model/failures.ts';
import { MoverJob, type MoverLine, type MoverReport, moverPaths } from '../../model/mover-job.ts';

/*
 * The process of a mover: a pod beside the data that runs the data path, so that nothing big crosses the API server. It
 * reads one job, makes the pipe that the command beside it waits for, does the job, and says on stdout how far it is and
 * how it ended. SIGTERM takes back what it stored.
 */

const sayEveryMs = 2_000;
/** Below the grace period of the pod. */
const takeBackWithinMs = 8_000;
/** Characters of a piece: at most four bytes each, and a line of a container's log holds 16 KiB. */
const pieceLength = 3_500;

const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.once(signal, () => {
    ending.abort(new Error(`the mover was told to end (${signal})`));
  });

let passed = 0;
const timer = setInterval(() => {
  say({ passed });
}, sayEveryMs);
const report = await Promise.race([work(), givenUp()]);
clearInterval(timer);
say({ passed });
const text = JSON.stringify(report);
const pieces = Math.ceil(text.length / pieceLength);
for (let piece = 0; piece < pieces; piece += 1)
  say({ piece, of: pieces, text: text.slice(piece * pieceLength, (piece + 1) * pieceLength) });
// A pipe that nobody opened at its other end would keep the process.
process.stdout.write('', () => process.exit(report.outcome === 'done' ? 0 : 1));

async function work(): Promise<MoverReport> {
  try {
    const job = MoverJob.parse(JSON.parse(await readFile(moverPaths.job, 'utf8')));
    await promisify(execFile)('mkfifo', ['-m', '666', moverPaths.pipe]);
    const onPassed = (bytes: number): void => {
      passed = bytes;
    };
    // Loaded late: it takes most of the start, and SIGTERM is already heard meanwhile.
    const { runJob } = await import('./run-job.ts');
    ending.signal.throwIfAborted();
    return await runJob(job, { onPassed, signal: ending.signal });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { outcome: 'failed', code: error instanceof LifeboatFailure ? error.code : null, message };
  }
}

async function givenUp(): Promise<MoverReport> {
  await new Promise((resolve) => {
    ending.signal.addEventListener('abort', resolve, { once: true });
  });
  await sleep(takeBackWithinMs);
  return { outcome: 'failed', code: null, message: 'it was told to end, and did not within 8 s' };
}

function say(line: MoverLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
