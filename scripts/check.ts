import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** A step of the check: what it proves, and the command. */
type Step = { readonly name: string; readonly command: readonly string[] };

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules', '.bin', name);
const node = process.execPath;

/** The tests first: they take longest, and two steps run at once. */
const steps: readonly Step[] = [
  {
    name: 'tests',
    command: [bin('vitest'), 'run', '--project', 'unit', '--project', 'models', '--project', 'workflows'],
  },
  { name: 'format', command: [bin('biome'), 'check', '--error-on-warnings', '.'] },
  // By its path: the older compiler, whose API two other steps need, has a command of the same name.
  { name: 'types', command: [join(root, 'node_modules/typescript-native/bin/tsc'), '--noEmit', '-p', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--deny-warnings', '.'] },
  {
    name: 'arrows',
    command: [
      bin('depcruise'),
      '--config',
      '.dependency-cruiser.cjs',
      'model',
      'transfer',
      'activities',
      'workflows',
      'workers',
      'cli',
      'sandbox',
      'demo',
      'bench',
      'scripts',
      'test',
    ],
  },
  { name: 'dead code', command: [bin('knip'), '--no-progress'] },
  { name: 'house', command: [node, 'scripts/house.ts'] },
  { name: 'generated', command: [node, 'scripts/generate.ts', '--check'] },
];

async function run({
  name,
  command: [file = '', ...args],
}: Step): Promise<{ name: string; code: number; output: string; ms: number }> {
  const since = Date.now();
  const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString('utf8');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve(1);
    });
    child.once('close', (status) => resolve(status ?? 1));
  });
  return { name, code, output, ms: Date.now() - since };
}

const since = Date.now();
const queue = [...steps];
const failed: string[] = [];
await Promise.all(
  Array.from({ length: Math.max(1, Math.min(2, availableParallelism())) }, async () => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
      const { name, code, output, ms } = await run(step);
      process.stdout.write(`${code === 0 ? '✓' : '✗'} ${name.padEnd(12)} ${(ms / 1000).toFixed(1).padStart(6)} s\n`);
      if (code === 0) {
        for (const [line] of output.matchAll(/^SKIPPED.*$/gm)) process.stdout.write(`  ${line}\n`);
        continue;
      }
      failed.push(name);
      process.stdout.write(`${output.trim().split('\n').slice(-60).join('\n')}\n`);
    }
  }),
);
process.stdout.write(
  `${failed.length === 0 ? '✓ check' : `✗ check: ${failed.join(', ')}`} in ${((Date.now() - since) / 1000).toFixed(1)} s\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
