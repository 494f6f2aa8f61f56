import { execFile, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { beforeAll, describe, expect } from 'vitest';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { formatRecoveryKit } from '../../transfer/keys.ts';
import { testKit } from '../transfer/test-points.ts';
import { bytesSource, testFolder } from '../transfer/test-sources.ts';
import { backUp, pointOf } from './back-up.ts';
import { experiment } from './experiment.ts';
import { withFakeS3 } from './fake-s3.ts';
import { expectFailure, expectInvariants, rejectionOf } from './invariants.ts';

const mib = 1024 * 1024;
/** Of the whole process, with the SDK, the threads, and buffers that the collector has not come to. */
const mostMemoryBytes = 400 * mib;
/** Read from the source and not at the server yet: frames, blocks between the threads, parts. */
const mostAheadBytes = 96 * mib;

let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

type Report = { readonly readBytes: number; readonly memoryBytes: number };

describe('a store that is slower than the source', () => {
  experiment(
    {
      number: 25,
      holds: 'makes the source wait, and the memory stays what it is however long the stream',
      small: 1,
      full: 6,
    },
    async (seed) => {
      // one part after the other, as fast as the line carries it
      const bytesPerMs = seed.whole(30, 60) * 1_000;
      let freeAt = 0;
      const latencyMs = ({ operation }: { operation: string }): number => {
        if (operation !== 'UploadPart') return 0;
        freeAt = Math.max(freeAt, Date.now()) + (8 * mib) / bytesPerMs;
        return freeAt - Date.now();
      };
      await withFakeS3({ latencyMs }, async (fake) => {
        const kitFile = join(testFolder(), 'kit.json');
        writeFileSync(kitFile, formatRecoveryKit(kit));
        const size = seed.whole(150, 250) * mib * (seed.seed > 3 ? 4 : 1);
        const child = spawn(
          process.execPath,
          [join(import.meta.dirname, 'backup-child.ts'), fake.endpoint, kitFile, String(size)],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        );
        let last: Report = { readBytes: 0, memoryBytes: 0 };
        for await (const line of createInterface({ input: child.stdout })) {
          last = JSON.parse(line) as Report;
          expect(last.readBytes - fake.receivedBytes).toBeLessThan(mostAheadBytes);
        }
        expect(last.readBytes).toBeGreaterThanOrEqual(size);
        expect(fake.receivedBytes).toBeGreaterThan(size);
        process.stdout.write(
          `experiment 25: ${String(Math.round(last.memoryBytes / mib))} MiB at ${String(Math.round(size / mib))} MiB\n`,
        );
        expect(last.memoryBytes).toBeLessThan(mostMemoryBytes);
      });
    },
  );
});

const run = promisify(execFile);
const canMount = process.getuid?.() === 0 && (await tryMount());

async function tryMount(): Promise<boolean> {
  try {
    await run('umount', [await mount(1)]);
    return true;
  } catch {
    return false;
  }
}

async function mount(sizeMib: number): Promise<string> {
  const folder = join(testFolder(), 'disk');
  mkdirSync(folder);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${String(sizeMib)}m`, 'lifeboat-seeded', folder]);
  return folder;
}

if (!canMount) process.stderr.write('SKIPPED: a store on a full disk was not tested: nothing can be mounted here\n');

describe.skipIf(!canMount)('a store on a full disk', () => {
  experiment(
    {
      number: 24,
      holds: 'says StoreFull and keeps nothing, and has the point once there is room',
      small: 2,
      full: 100,
    },
    async (seed) => {
      const disk = await mount(seed.whole(2, 12));
      try {
        const store = filesystemStore(disk);
        const plain = seed.bytes(seed.whole(13, 20) * mib);
        const rules = { segmentBytes: seed.whole(1, 20) * mib, engine: seed.pick(['inline', 'threads'] as const) };
        const backup = { store, kit, id: pointOf(seed), source: () => bytesSource(plain), rules };
        expectFailure(await rejectionOf(backUp(backup)), ['StoreFull'], /ENOSPC/);
        await expectInvariants({ store, kit, points: [] });
        await run('mount', ['-o', 'remount,size=64m', disk]);
        await backUp({ ...backup, attempt: 2 });
        await expectInvariants({ store, kit, points: [{ id: backup.id, plain }] });
      } finally {
        await run('umount', [disk]);
      }
    },
  );
});
