import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { listOnPath } from '../../workers/tools/find-tool.ts';

describe('listOnPath', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lifeboat-path-'));
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });

  async function program(directory: string, says: string): Promise<string> {
    const path = join(folder, directory, 'kubectl');
    await mkdir(join(folder, directory));
    await writeFile(path, `#!/bin/sh\necho '${says}'\n`);
    await chmod(path, 0o755);
    return path;
  }

  it('has each program once, in the order of PATH, with its version', async () => {
    const old = await program('old', 'Client Version: v1.31.2');
    const pinned = await program('pinned', 'Client Version: v1.34.0');
    await program('broken', 'no version');
    await symlink(join(folder, 'old'), join(folder, 'link'));
    const directories = ['old', 'link', 'missing', 'broken', 'pinned'].map((name) => join(folder, name));
    vi.stubEnv('PATH', directories.join(delimiter));

    expect(await listOnPath('kubectl')).toEqual([
      { path: old, version: '1.31.2', fits: false },
      { path: pinned, version: '1.34.0', fits: true },
    ]);
  });
});
