import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ClusterAccess, PodAddress } from '../../activities/clients/kubectl.ts';
import { runInPod, streamFromPod, streamToPod } from '../../activities/executors/pod-exec.ts';
import { bytesOf, missingTools, sha256 } from '../transfer/test-sources.ts';
import { removeFolders } from './archived-point.ts';
import { makeOddTree } from './odd-tree.ts';
import { differencesOf, readTreeAttributes, type TreeAttributes } from './tree-attributes.ts';

/** Of one directory in a container; with LIFEBOAT_FULL as many as a spool of mail. */
export const oddCount = process.env['LIFEBOAT_FULL'] === '1' ? 100_000 : 2_000;

const attributes = !missingTools('attributes of files in a volume', 'setfattr', 'getfattr', 'setfacl', 'getfacl');
const tarFlags = ['--xattrs', '--acls', '--numeric-owner'];

/** Odd files of one owner in a directory of a container; tar carries them there, and back to be compared. */
export class OddFilesInPod {
  readonly #of: { access: ClusterAccess; pod: () => Promise<PodAddress>; directory: string };
  readonly #made = mkdtempSync(join(tmpdir(), 'lifeboat-odd-made-'));
  readonly #before = mkdtempSync(join(tmpdir(), 'lifeboat-odd-before-'));

  constructor(of: { access: ClusterAccess; pod: () => Promise<PodAddress>; directory: string }) {
    this.#of = of;
  }

  async put(): Promise<void> {
    const { access, pod, directory } = this.#of;
    makeOddTree({ directory: this.#made, count: oddCount, seed: 5, attributes, own: true });
    await this.#sh(`rm -rf ${directory}; mkdir ${directory}`);
    const local = spawn('tar', ['-C', this.#made, ...tarFlags, '-cf', '-', '.'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await streamToPod(access, await pod(), ['tar', '-C', directory, ...tarFlags, '-xpf', '-'], local.stdout, {});
    await this.#pull(this.#before);
  }

  /** Takes a part of them away and adds what was not there. */
  async damage(): Promise<void> {
    const { directory } = this.#of;
    await this.#sh(`chmod -R u+rwx ${directory}; rm -rf ${directory}/deep ${directory}/*x*; echo x >${directory}/new`);
  }

  /** They are what they were before, with all that their owner can give them. */
  async expectBack(): Promise<void> {
    const after = mkdtempSync(join(tmpdir(), 'lifeboat-odd-after-'));
    try {
      await this.#pull(after);
      const read = (directory: string): TreeAttributes =>
        readTreeAttributes({ directory, attributes, skip: ['.lifeboat-generation'] });
      expect(read(after).size).toBeGreaterThan(oddCount);
      expect(differencesOf(read(this.#before), read(after))).toEqual([]);
      expect(differencesOf(withoutOwners(read(this.#made)), withoutOwners(read(after)))).toEqual([]);
    } finally {
      removeFolders([after]);
    }
  }

  async remove(): Promise<void> {
    removeFolders([this.#made, this.#before]);
    await this.#sh(`chmod -R u+rwx ${this.#of.directory}; rm -rf ${this.#of.directory}`);
  }

  async #pull(to: string): Promise<void> {
    const { access, pod, directory } = this.#of;
    const source = streamFromPod(access, await pod(), ['tar', '-C', directory, ...tarFlags, '-cf', '-', '.']);
    const tar = await bytesOf(source.bytes);
    expect(await source.end()).toMatchObject({ exitCode: 0, digestSha256: sha256(tar) });
    execFileSync('tar', ['-C', to, ...tarFlags, '--warning=no-timestamp', '-xpf', '-'], { input: tar });
  }

  async #sh(script: string): Promise<void> {
    const { exitCode, stderr } = await runInPod(this.#of.access, await this.#of.pod(), ['sh', '-ceu', script]);
    expect(exitCode, stderr).toBe(0);
  }
}

function withoutOwners(tree: TreeAttributes): TreeAttributes {
  return new Map(
    [...tree].map(([path, is]) => [
      path,
      is.replace(/^(type .*?) owner [0-9]+:[0-9]+/s, '$1').replace(/^# (owner|group): .*\n/gm, ''),
    ]),
  );
}
