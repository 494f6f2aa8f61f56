import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkMachine, installPackages } from '../sandbox/machine.ts';
import { bringUp } from '../sandbox/sandbox.ts';

/** A suite of `npm test`, in the order in which they run: what fails soonest first. */
type Suite = { readonly name: string; readonly needsSandbox: boolean };

const suites: readonly Suite[] = [
  { name: 'unit', needsSandbox: false },
  { name: 'workflows', needsSandbox: false },
  { name: 'charts', needsSandbox: false },
  { name: 'e2e', needsSandbox: true },
  { name: 'conformance', needsSandbox: true },
  { name: 'faults', needsSandbox: true },
  { name: 'alone', needsSandbox: true },
];

const root = join(import.meta.dirname, '..');

async function runSuite(name: string, env: Record<string, string>): Promise<number> {
  const child = spawn(
    process.execPath,
    [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', name],
    {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  return await new Promise((resolve) => {
    child.once('error', () => {
      resolve(1);
    });
    child.once('close', (code) => {
      resolve(code ?? 1);
    });
  });
}

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !suites.some((suite) => suite.name === name));
if (unknown.length > 0) {
  process.stderr.write(`unknown suite ${unknown.join(', ')}; there are ${suites.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}
const chosen = asked.length === 0 ? suites : suites.filter(({ name }) => asked.includes(name));
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
const rows: string[] = [];
const skipped: string[] = [];
let failed = 0;
let sandbox: Awaited<ReturnType<typeof bringUp>> | undefined;
let reason: string | undefined;
for (const { name, needsSandbox } of chosen) {
  const since = Date.now();
  if (needsSandbox && sandbox === undefined && reason === undefined) {
    try {
      sandbox = await bringUp({}, progress);
      rows.push(`sandbox       ${((Date.now() - since) / 60_000).toFixed(1).padStart(5)} min`);
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
  const code = await runSuite(name, sandbox === undefined ? {} : { LIFEBOAT_TEST_SANDBOX: JSON.stringify(sandbox) });
  if (code !== 0) failed += 1;
  rows.push(
    `${name.padEnd(12)}  ${((Date.now() - suiteSince) / 60_000).toFixed(1).padStart(5)} min  ${code === 0 ? 'passed' : 'FAILED'}`,
  );
}
process.stdout.write(`\n${rows.join('\n')}\n`);
for (const line of skipped) process.stdout.write(`SKIPPED ${line}\n`);
process.stdout.write(
  `${String(chosen.length - skipped.length - failed)} passed, ${String(failed)} failed, ${String(skipped.length)} skipped\n`,
);
process.exitCode = failed === 0 ? 0 : 1;
