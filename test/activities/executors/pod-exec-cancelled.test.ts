import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { streamFromPod } from '../../../activities/executors/pod-exec.ts';
import { missingTools } from '../../transfer/test-sources.ts';
import { localKubectl, localPod } from '../local-kubectl.ts';

const shells = ['sh', 'bash', ...(missingTools("busybox's shell", 'busybox') ? [] : ['busybox sh'])];

/** Whether a process is there. */
function isRunning(process: number): boolean {
  return existsSync(`/proc/${String(process)}`);
}

describe('a stream from a pod that is cancelled', () => {
  it('ends before anybody has read it', async () => {
    const source = streamFromPod(await localKubectl({ before: 'exec yes' }), localPod, ['true']);
    await pause(100);

    source.cancel();

    expect((await source.end()).statusSeen).toBe(false);
  });

  it('ends soon while a reader waits for its beginning', async () => {
    for (const afterMs of [0, 10, 20, 30]) {
      const source = streamFromPod(await localKubectl(), localPod, ['head', '-c', '20000000', '/dev/urandom']);
      const first = source.bytes[Symbol.asyncIterator]().next();
      await pause(afterMs);
      source.cancel();
      const since = Date.now();
      await Promise.all([first, source.end()]);
      expect(Date.now() - since).toBeLessThan(3_000);
    }
  });

  it('ends whether anybody reads or not', async () => {
    for (const isRead of [false, true]) {
      const source = streamFromPod(await localKubectl(), localPod, ['sh', '-c', 'seq 1 1000000']);
      const reading = isRead ? source.bytes[Symbol.asyncIterator]() : undefined;
      await reading?.next();
      source.cancel();
      await reading?.return?.();
      await source.end();
    }
  }, 20_000);

  it.each(shells)('ends the command in the pod, by %s', async (shell) => {
    const said = join(await mkdtemp(join(tmpdir(), 'lifeboat-pod-')), 'process');
    // as the runtime has it: the command stays when kubectl goes
    const access = await localKubectl({ before: `shift; setsid --fork --wait ${shell} "$@"; exit` });
    const command = ['sh', '-c', 'echo $$ >"$1"; exec sleep 60', 'sh', said];
    const source = streamFromPod(access, localPod, command);
    const process = await vi.waitFor(async () => Number.parseInt(await readFile(said, 'utf8'), 10), 5_000);
    expect(isRunning(process)).toBe(true);

    source.cancel();

    await source.end();
    await expect.poll(() => isRunning(process), { timeout: 5_000 }).toBe(false);
  });
});
