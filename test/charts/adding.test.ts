import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/** A method that keeps the name of the day; as short as a method can be. */
const methodFile = `import { z } from 'zod';
import type { Method } from './method.ts';

export const dayName: Method<Record<string, never>> = {
  name: 'day-name',
  options: z.strictObject({}),
  async capture(context) {
    await context.writeBytes('day', 'monday', 'cat');
    return { capturedAt: new Date().toISOString(), facts: { day: 'monday' }, totals: {} };
  },
  restore: async () => undefined,
  readFacts: async () => ({ day: 'monday' }),
};
`;

describe('a checkout to which somebody adds', () => {
  let checkout = '';

  beforeAll(() => {
    checkout = mkdtempSync(join(tmpdir(), 'lifeboat-adding-'));
    for (const file of git(root, ['ls-files', '--cached', '--others', '--exclude-standard']).split('\n')) {
      if (file === '') continue;
      mkdirSync(dirname(join(checkout, file)), { recursive: true });
      cpSync(join(root, file), join(checkout, file));
    }
    symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'));
    appendFileSync(join(checkout, '.gitignore'), 'node_modules\n');
    git(checkout, ['init', '-q']);
    git(checkout, ['add', '-A']);
    commit('before');
  }, 60_000);

  afterAll(() => {
    rmSync(checkout, { recursive: true, force: true });
  });

  it('a chart, only the folder of the chart changes: its plan, image, seed and golden manifests included', () => {
    const chart = join(checkout, 'charts', 'notecache');
    cpSync(join(checkout, 'charts', 'memcached'), chart, { recursive: true });
    // The product keeps its name where Debian gives it: in the package, its program and its user.
    for (const file of filesOf(chart)) {
      const text = readFileSync(file, 'utf8');
      writeFileSync(
        file,
        file.endsWith('image.yaml')
          ? text.replace('lifeboat.local/memcached', 'lifeboat.local/notecache')
          : text.replaceAll('memcached', 'notecache'),
      );
      if (file.includes('_memcached')) renameSync(file, file.replace('_memcached', '_notecache'));
    }

    const plans = JSON.parse(lifeboat(['plan', 'check', 'charts', '--json']).stdout) as { charts: string[] }[];
    expect(plans.flatMap((plan) => plan.charts)).toContain('notecache');
    const images = node([
      '--input-type=module',
      '--eval',
      `import { findRecipes } from '${checkout}/sandbox/images/recipe.ts';
       import { hasWriter } from '${checkout}/sandbox/platform/writer.ts';
       import { sandboxPart } from '${checkout}/sandbox/platform/install-release.ts';
       const recipes = await findRecipes('base');
       console.log(JSON.stringify({ images: recipes.map(({ recipe }) => recipe.image), writes: await hasWriter({ chart: 'notecache' }),
         parts: [...Object.keys(await sandboxPart('notecache', 'seed.ts')), ...Object.keys(await sandboxPart('notecache', 'secret.ts'))] }));`,
    ]);
    expect(JSON.parse(images.stdout)).toMatchObject({
      images: expect.arrayContaining(['lifeboat.local/notecache:1.6']) as string[],
      writes: false,
      parts: ['seed', 'secret'],
    });
    const rendered = node([
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      ...['run', '--project', 'charts', 'charts.test.ts', '-t', 'notecache', '--reporter', 'json'],
    ]);
    const report = JSON.parse(rendered.stdout) as { success: boolean; numPassedTests: number };
    expect(report.success, rendered.stdout.slice(0, 3000)).toBe(true);
    expect(report.numPassedTests).toBeGreaterThan(6);

    expect(changed()).toEqual(['charts/notecache/']);
    commit('chart');
  }, 120_000);

  it('a method, one file and one line change', () => {
    const plan = join(checkout, 'day.yaml');
    const memcached = readFileSync(join(checkout, 'charts', 'memcached', 'recovery.yaml'), 'utf8');
    writeFileSync(plan, memcached.replace('components:\n', 'components:\n  - { name: day, method: day-name }\n'));
    const before = lifeboat(['plan', 'check', plan]);
    expect(before.status).toBe(2);
    expect(before.stderr).toContain('unknown method day-name; there are alertmanager-silences, exec-stream');

    writeFileSync(join(checkout, 'activities', 'methods', 'day-name.ts'), methodFile);
    const registry = join(checkout, 'activities', 'methods', 'index.ts');
    appendFileSync(registry, "export { dayName } from './day-name.ts';\n");

    const after = lifeboat(['plan', 'check', plan]);
    expect(after.stderr).toBe('');
    expect(after.stdout).toContain('day: day-name');
    rmSync(plan);
    expect(changed()).toEqual(['activities/methods/day-name.ts', 'activities/methods/index.ts']);
    expect(git(checkout, ['diff', '--numstat']).trim()).toBe('1\t0\tactivities/methods/index.ts');
  }, 60_000);

  function changed(): string[] {
    return git(checkout, ['status', '--porcelain'])
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.slice(3))
      .sort();
  }

  function commit(message: string): void {
    git(checkout, ['add', '-A']);
    git(checkout, ['-c', 'user.name=test', '-c', 'user.email=test@localhost', 'commit', '-q', '-m', message]);
  }

  function lifeboat(args: readonly string[]): ReturnType<typeof node> {
    return node([join(checkout, 'cli', 'main.ts'), ...args]);
  }

  function node(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, args, { cwd: checkout, encoding: 'utf8', env: environment() });
  }
});

/** Of the machine, without what the outer test runner says about itself. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS|NODE_ENV|TEST|CI)/.test(name)),
  );
}

function git(directory: string, args: readonly string[]): string {
  return execFileSync('git', ['-C', directory, ...args], { encoding: 'utf8' });
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.tgz'))
    .map((entry) => join(entry.parentPath, entry.name));
}
