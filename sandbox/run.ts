import { lastLine, runProcess } from '../activities/clients/process.ts';

/** What a command may be given. */
export type RunOptions = {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
};

/** Says what is being done, one line at a time. */
export type Progress = (line: string) => void;

/** Runs a command to its end and returns its stdout; a bad exit throws with the command's last line. */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await runProcess({ file, args, timeoutMs: 60_000, ...options });
  if (result.exitCode !== 0)
    throw new Error(
      `run ${file} ${args.slice(0, 4).join(' ')}: ${lastWords(result.stderr) || lastLine(result.stdout)}`,
    );
  return result.stdout;
}

/** The last line, without kubectl's own about the exit code of what it ran. */
function lastWords(stderr: string): string {
  return lastLine(stderr.replace(/^command terminated with exit code \d+$/m, ''));
}

/** As `run`, for what may fail: returns undefined then. */
export async function tryRun(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string | undefined> {
  return await run(file, args, options).catch(() => undefined);
}

/** Polls until `probe` gives something else than undefined. `about` begins the error, `detail` ends it. */
export async function waitUntil<T>(
  about: string,
  probe: () => Promise<T | undefined>,
  options: { timeoutMs: number; everyMs?: number; detail?: () => Promise<string> | string },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) {
      const detail = (await options.detail?.()) ?? '';
      throw new Error(
        `${about}: not after ${String(Math.round(options.timeoutMs / 1000))} s${detail === '' ? '' : `; ${detail}`}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 200));
  }
}

/** Runs a step and says how long it took. */
export async function timed<T>(progress: Progress, what: string, step: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const result = await step();
  progress(`${what}  ${formatSeconds(Date.now() - started)}`);
  return result;
}

function formatSeconds(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return seconds < 60
    ? `${String(Math.round(seconds))} s`
    : `${String(Math.floor(seconds / 60))}m ${String(Math.round(seconds % 60))}s`;
}
