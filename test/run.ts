import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bringUp, type Sandbox } from '../sandbox/sandbox.ts';
import { type OwnTemporal, startOwnTemporal } from './e2e/own-temporal.ts';
import { prepareTests } from './prepare.ts';
import { measureSlowness } from './slowness.ts';

/** The suites of `npm test` in the order in which they run, what fails soonest first; those of one round side by side. */
const rounds: readonly (readonly string[])[] = [
  ['unit', 'models'],
  ['workflows'],
  ['seeded'],
  ['charts'],
  ['limits'],
  ['alone'],
  ['e2e', 'conformance', 'faults'],
];
const nameWidth = Math.max(...rounds.map((round) => round.join(' + ').length));
const withoutSandbox: ReadonlySet<string> = new Set(['unit', 'models', 'workflows', 'seeded', 'charts', 'limits']);
/** Beside which the sandbox is brought up, where a later suite needs it: a fresh machine waits for packages and linkers on the way. */
const besideSandbox: ReadonlySet<string> = new Set(['seeded', 'charts']);
/** What `npm run check` has run: left out with `--checked`. */
const inCheck: ReadonlySet<string> = new Set(['unit', 'models', 'workflows']);

const root = join(import.meta.dirname, '..');

/** Of Go's programs, all that run beside the tests: they may use five times what they need before they collect garbage. */
process.env['GOGC'] ??= '400';

/** Projects of vitest, but for the gates of the bench, which need the machine for themselves. */
function commandOf(names: readonly string[]): string[] {
  if (names.includes('limits')) return [join(root, 'bench', 'limits.ts'), '--gates'];
  return [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...names.flatMap((name) => ['--project', name])];
}

async function runSuites(names: readonly string[], env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, commandOf(names), {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return await new Promise((resolve) => {
    child.once('error', () => {
      resolve(1);
    });
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
}

const usage = 'npm test -- [SUITE…] [--checked] [--within MINUTES]';

function refuse(problem: string): never {
  process.stderr.write(`${problem}: ${usage}\n`);
  process.exit(2);
}

function readArguments(): { asked: string[]; checked: boolean; within: number | undefined } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { checked: { type: 'boolean', default: false }, within: { type: 'string' } },
    });
    const within = values.within === undefined ? undefined : Number(values.within);
    if (within !== undefined && !(within > 0)) refuse('--within takes minutes');
    return { asked: positionals, checked: values.checked, within };
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const started = Date.now();
const { asked, checked, within } = readArguments();
// Of the time that is given the last eighth is for the files that have begun.
const limits =
  within === undefined
    ? {}
    : {
        LIFEBOAT_TEST_LAST_BEGIN: String(started + (within * 60_000 * 7) / 8),
        LIFEBOAT_TEST_UNTIL: String(started + within * 60_000),
      };
const known = rounds.flat();
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) refuse(`unknown suite ${unknown.join(', ')}; there are ${known.join(', ')}`);
const slowness = measureSlowness();
const notes = await mkdtemp(join(tmpdir(), 'lifeboat-'));
const notRunFile = join(notes, 'not-run');

/** The files that were left out for want of time. */
async function namesOfNotRun(): Promise<string[]> {
  return (await readFile(notRunFile, 'utf8').catch(() => '')).split('\n').filter((file) => file !== '');
}

const chosen = rounds
  .map((round) =>
    round.filter((name) => (asked.length === 0 || asked.includes(name)) && !(checked && inCheck.has(name))),
  )
  .filter((round) => round.length > 0);
const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
await prepareTests(chosen.flat(), progress);
if (slowness > 1)
  progress(`about ${String(slowness)} times as slow as the machine of docs/explanation/tests.md: tests wait longer`);
const rows: string[] = checked ? [...inCheck].map((name) => `${name.padEnd(nameWidth)}  ran in the check`) : [];
const skipped: string[] = [];
let failed = 0;
let sandbox: Sandbox | undefined;
let temporal: OwnTemporal | undefined;
let reason: string | undefined;
let broughtUp: Promise<void> | undefined;

/** Brings the sandbox up for the suites, with a Temporal of the tests' own: the demo, one of them, replaces the sandbox's. */
async function openSandbox(): Promise<void> {
  const since = Date.now();
  try {
    const bare = await bringUp({ temporal: false }, progress);
    temporal = await startOwnTemporal();
    sandbox = { ...bare, temporal: { address: temporal.address, ui: temporal.ui } };
    rows.push(`${'sandbox'.padEnd(nameWidth)}  ${((Date.now() - since) / 60_000).toFixed(1).padStart(5)} min`);
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
    // On a machine that can run the sandbox, one that does not come up is a failure, not a reason to skip.
    if (process.platform === 'linux' && process.getuid?.() === 0) failed += 1;
  }
}

const needsSandbox = (round: readonly string[]): boolean => !round.every((suite) => withoutSandbox.has(suite));
for (const round of chosen) {
  const name = round.join(' + ');
  const isBeside = round.every((suite) => besideSandbox.has(suite));
  if ((isBeside && chosen.some(needsSandbox)) || needsSandbox(round)) broughtUp ??= openSandbox();
  if (!isBeside) await broughtUp;
  if (needsSandbox(round) && sandbox === undefined) {
    skipped.push(`${name}: the sandbox cannot run here: ${reason ?? ''}`);
    continue;
  }
  const suiteSince = Date.now();
  const leftBefore = (await namesOfNotRun()).length;
  const code = await runSuites(round, {
    LIFEBOAT_TEST_SLOWNESS: String(slowness),
    ...(sandbox === undefined ? {} : { LIFEBOAT_TEST_SANDBOX: JSON.stringify(sandbox) }),
    LIFEBOAT_TEST_NOT_RUN: notRunFile,
    ...limits,
  });
  if (code !== 0) failed += 1;
  const left = (await namesOfNotRun()).length - leftBefore;
  const minutes = ((Date.now() - suiteSince) / 60_000).toFixed(1).padStart(5);
  rows.push(
    `${name.padEnd(nameWidth)}  ${minutes} min  ${code === 0 ? 'passed' : 'FAILED'}${left === 0 ? '' : `, ${String(left)} files NOT RUN`}`,
  );
}
await temporal?.close();
process.stdout.write(`\n${rows.join('\n')}\n`);
for (const line of skipped) process.stdout.write(`SKIPPED ${line}\n`);
const notRun = await namesOfNotRun();
for (const file of notRun) process.stdout.write(`NOT RUN ${file}: it did not fit into the ${String(within)} minutes\n`);
await rm(notes, { recursive: true });
process.stdout.write(
  `${String(chosen.length - skipped.length - failed)} passed, ${String(failed)} failed, ${String(skipped.length)} skipped` +
    `${notRun.length === 0 ? '' : `; ${String(notRun.length)} files were not run for want of time`}\n`,
);
process.exitCode = failed === 0 ? 0 : 1;
