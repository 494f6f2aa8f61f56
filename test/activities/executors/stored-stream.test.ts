import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type StoredStream, storedToPod } from '../../../activities/executors/stored-stream.ts';
import { localKubectl, localPod } from '../local-kubectl.ts';

const plain = Buffer.from(Array.from({ length: 50_000 }, (_, index) => `row ${String(index)}\n`).join(''));
const frames = [0, 1, 2].map((part) =>
  execFileSync('zstd', ['-q', '-c'], {
    input: plain.subarray(part * 200_000, part === 2 ? undefined : (part + 1) * 200_000),
  }),
);
const sha256 = createHash('sha256').update(plain).digest('hex');

/** A stream that remembers which form of it was read. */
function stored(over: Partial<StoredStream> = {}): StoredStream & { readonly read: string[] } {
  const read: string[] = [];
  const pieces = async function* (form: string, of: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    read.push(form);
    for (const piece of of) yield await Promise.resolve(piece);
  };
  return { bytes: pieces('plain', [plain]), packed: pieces('packed', frames), sha256, read, ...over };
}

const digest = ['sh', '-c', 'sha256sum | cut -c1-64'];

describe('storedToPod', () => {
  it('sends the stored frames where the pod can unpack them, and the command gets the plaintext', async () => {
    const stream = stored();
    const { stdout } = await storedToPod(await localKubectl(), localPod, digest, stream);

    expect(stdout.trim()).toBe(sha256);
    expect(stream.read).toEqual(['packed']);
  });

  it('sends the plaintext where it cannot', async () => {
    const bare = await mkdtemp(join(tmpdir(), 'lifeboat-bare-'));
    for (const tool of ['sh', 'tee', 'sha256sum', 'cut', 'cat', 'sleep'])
      await symlink(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bare, tool));
    const stream = stored();
    const { stdout } = await storedToPod(await localKubectl({ before: `PATH=${bare}` }), localPod, digest, stream);

    expect(stdout.trim()).toBe(sha256);
    expect(stream.read).toEqual(['plain']);
  });

  it.each([
    ['cut between two frames', `head -c ${String((frames[0] as Buffer).byteLength)}`],
    ['cut inside a frame', `head -c ${String((frames[0] as Buffer).byteLength + 100)}`],
  ])('refuses frames that arrived %s', async (_, cut) => {
    const access = await localKubectl({
      before: `[ -z "$(echo "$*" | grep 'zstd -q -d')" ] || { ${cut} | "$@"; exit; }`,
    });

    await expect(storedToPod(access, localPod, digest, stored())).rejects.toMatchObject({ code: 'RestoreFailed' });
  });

  it('refuses frames of another plaintext', async () => {
    await expect(
      storedToPod(await localKubectl(), localPod, digest, stored({ sha256: '0'.repeat(64) })),
    ).rejects.toMatchObject({ code: 'RestoreFailed' });
  });
});
