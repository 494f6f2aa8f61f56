import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { archivedPoint } from '../activities/archived-point.ts';
import { testFolder } from '../transfer/test-sources.ts';
import { type Answer, lifeboat, main, settle } from './command.ts';

const nobody = 65_534;

/** Whether this process may become another user, who can read this checkout. */
function canRunAsNobody(): boolean {
  const as = { uid: nobody, gid: nobody };
  return process.getuid?.() === 0 && spawnSync(process.execPath, ['--check', main], as).status === 0;
}

describe('lifeboat points files and extract', () => {
  const [home, home2] = [testFolder(), testFolder()];
  let id: string;
  const asked = async (...args: readonly string[]): Promise<Answer> => await lifeboat(home, undefined, ...args);

  beforeAll(async () => {
    const directory = testFolder();
    mkdirSync(join(directory, 'uploads', '2026'), { recursive: true });
    writeFileSync(join(directory, 'uploads', '2026', 'a file\n.txt'), 'text', { mode: 0o640 });
    writeFileSync(join(directory, '-rf'), 'dash');
    const { store, kit, manifest } = await archivedPoint({ directory });
    await settle(home, kit, store.address);
    ({ id } = manifest);
  });

  it('lists paths in a form that it takes back', async () => {
    const listed = JSON.parse((await asked('--json', 'points', 'files', id, 'uploads/')).stdout) as {
      component: string;
      files: { path: string; mode: string; sizeBytes: number }[];
    };
    expect(listed.component).toBe('files');
    expect(listed.files.map(({ path, mode, sizeBytes }) => [path, mode, sizeBytes])).toEqual([
      ['uploads/2026', expect.any(String), 0],
      ['uploads/2026/a file%0A.txt', '0640', 4],
    ]);
    const [path, raw] = ['uploads/2026/a file%0A.txt', 'uploads/2026/a file\n.txt'];
    for (const [index, typed] of [path, raw].entries()) {
      const to = join(home, `new-${String(index)}`);
      const { code, stdout, stderr } = await asked('points', 'extract', id, typed, '--to', to);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^extracted 1 files, 4 B, each with the captured digest, 2 directories and 0 links to /);
      expect(readFileSync(join(to, raw), 'utf8')).toBe('text');
    }
  });

  it('takes a path that begins with a dash behind `--`, and prints a table', async () => {
    const to = join(home, 'dash');
    expect(await asked('points', 'extract', id, '--to', to, '--', '-rf')).toMatchObject({ code: 0 });
    expect(readFileSync(join(to, '-rf'), 'utf8')).toBe('dash');
    expect((await asked('points', 'files', id)).stdout).toMatch(/^MODE .*PATH\n- 0644 .* 4 B +[0-9-]+ [0-9:]+ +-rf\n/);
  });

  it.skipIf(!canRunAsNobody())(
    'gives everything to who is not root, without setuid, into directories that are shut',
    async () => {
      const directory = testFolder();
      mkdirSync(join(directory, 'shut', 'below'), { recursive: true });
      writeFileSync(join(directory, 'shut', 'below', 'tool'), 'x', { mode: 0o755 });
      chmodSync(join(directory, 'shut', 'below', 'tool'), 0o4750);
      utimesSync(join(directory, 'shut', 'below'), 7, 7);
      chmodSync(join(directory, 'shut', 'below'), 0o500);
      chmodSync(join(directory, 'shut'), 0o400);
      const { store, kit, manifest } = await archivedPoint({ directory });
      await settle(home2, kit, store.address);
      const to = join(home2, 'to', 'new');
      mkdirSync(join(home2, 'to'));
      for (const path of [home2, join(home2, 'to'), join(home2, 'kit.json')]) chownSync(path, nobody, nobody);
      execFileSync('chmod', ['-R', 'a+rX', new URL(store.address).pathname]);

      const { code, stderr } = await lifeboat(home2, nobody, 'points', 'extract', manifest.id, 'shut', '--to', to);

      expect([code, stderr]).toEqual([0, '']);
      const tool = statSync(join(to, 'shut', 'below', 'tool'));
      expect([tool.mode & 0o7777, tool.uid]).toEqual([0o750, nobody]);
      const below = statSync(join(to, 'shut', 'below'));
      expect([below.mode & 0o7777, below.mtimeMs]).toEqual([0o500, 7_000]);
    },
  );

  it('says what is nearest to an unknown path, and leaves a directory alone that is not empty', async () => {
    const unknown = await asked('points', 'extract', id, 'uploads/2025/a', '--to', join(home, 'none'));
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/FileUnknown.*nearest: uploads\/2026/);
    const full = await asked('--json', 'points', 'extract', id, '.', '--to', home);
    expect(full.code).toBe(2);
    expect(JSON.parse(full.stdout)).toMatchObject({ outcome: 'refused', failure: { code: 'InputInvalid' } });
  });
});
