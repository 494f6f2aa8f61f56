import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { testFolder } from '../transfer/test-sources.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'lifeboat.js');

function launch(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (text: Buffer) => (said.stdout += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (said.stderr += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}

describe('bin/lifeboat.js', () => {
  it('becomes the command where Node can, so that no second process waits for it', async () => {
    const child = launch(launcher, '--version');
    const becameIt = (): boolean =>
      readFileSync(`/proc/${String(child.pid)}/cmdline`, 'utf8').includes(join('cli', 'main.ts'));
    const end = ended(child);
    while (child.exitCode === null && !becameIt()) await pause(2);
    expect(child.exitCode).toBeNull();
    expect(await end).toMatchObject({ code: 0, stdout: expect.stringMatching(/^lifeboat \d/) as string, stderr: '' });
  });

  it('starts it from an older Node, and ends as it does', async () => {
    const older = ['--import', 'data:text/javascript,delete process.execve', launcher];
    expect(await ended(launch(...older, '--version'))).toMatchObject({ code: 0, stderr: '' });
    const config = join(testFolder(), 'none.yaml');
    const failed = await ended(launch(...older, '--config', config, 'points'));
    expect(failed).toMatchObject({ code: 2, stderr: expect.stringContaining(config) as string });
  });
});
