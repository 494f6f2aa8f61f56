import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkMachine, installPackages } from '../sandbox/machine.ts';
import { bringUp } from '../sandbox/sandbox.ts';
import { type OwnTemporal, startOwnTemporal } from './e2e/own-temporal.ts';

/** The suites of `npm test` in the order in which they run, what fails soonest first; those of one round side by side. */
const rounds: readonly (readonly string[])[] = [
  ['unit', 'models'],
  ['workflows'],
  ['seeded'],
  ['charts'],
  ['limits'],
  ['e2e', 'conformance', 'faults'],
  ['alone'],
];
const nameWidth = Math.max(...rounds.map((round) => round.join(' + ').length));
const withoutSandbox: ReadonlySet<string> = new Set(['unit', 'models', 'workflows', 'seeded', 'charts', 'limits']);
/** What `npm run check` has run: left out with `--checked`. */
const inCheck: ReadonlySet<string> = new Set(['unit', 'models', 'workflows']);

const root = join(import.meta.dirname, '..');

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

const checked = process.argv.includes('--checked');
const asked = process.argv.slice(2).filter((argument) => argument !== '--checked');
const known = rounds.flat();
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`unknown suite ${unknown.join(', ')}; there are ${known.join(', ')}\n`);
  process.exit(2);
}
const chosen = rounds
  .map((round) =>
    round.filter((name) => (asked.length === 0 || asked.includes(name)) && !(checked && inCheck.has(name))),
  )
  .filter((round) => round.length > 0);
const progress = (line: string): void => {
  process.stderr.write(`${line}\n`);
};
// The suites before the sandbox use some of its programs; where it cannot run, they say what they lack.
if (
  await checkMachine().then(
    () => true,
    () => false,
  )
)
  await installPackages(progress);
const rows: string[] = checked ? [...inCheck].map((name) => `${name.padEnd(nameWidth)}  ran in the check`) : [];
const skipped: string[] = [];
let failed = 0;
let sandbox: Awaited<ReturnType<typeof bringUp>> | undefined;
let temporal: OwnTemporal | undefined;
let reason: string | undefined;
for (const round of chosen) {
  const name = round.join(' + ');
  const needsSandbox = !round.every((suite) => withoutSandbox.has(suite));
  const since = Date.now();
  if (needsSandbox && sandbox === undefined && reason === undefined) {
    try {
      // Temporal is the tests' own: the demo, one of them, replaces the sandbox's.
      sandbox = await bringUp({ temporal: false }, progress);
      temporal = await startOwnTemporal();
      sandbox = { ...sandbox, temporal: { address: temporal.address, ui: temporal.ui } };
      rows.push(`${'sandbox'.padEnd(nameWidth)}  ${((Date.now() - since) / 60_000).toFixed(1).padStart(5)} min`);
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      // On a machine that can run the sandbox, one that does not come up is a failure, not a reason to skip.
      if (process.platform === 'linux' && process.getuid?.() === 0) failed += 1;
    }
  }
  if (needsSandbox && sandbox === undefined) {
    skipped.push(`${name}: the sandbox cannot run here: ${reason ?? ''}`);
    continue;
  }
  const suiteSince = Date.now();
  const code = await runSuites(round, sandbox === undefined ? {} : { LIFEBOAT_TEST_SANDBOX: JSON.stringify(sandbox) });
  if (code !== 0) failed += 1;
  rows.push(
    `${name.padEnd(nameWidth)}  ${((Date.now() - suiteSince) / 60_000).toFixed(1).padStart(5)} min  ${code === 0 ? 'passed' : 'FAILED'}`,
  );
}
await temporal?.close();
process.stdout.write(`\n${rows.join('\n')}\n`);
for (const line of skipped) process.stdout.write(`SKIPPED ${line}\n`);
process.stdout.write(
  `${String(chosen.length - skipped.length - failed)} passed, ${String(failed)} failed, ${String(skipped.length)} skipped\n`,
);
process.exitCode = failed === 0 ? 0 : 1;
