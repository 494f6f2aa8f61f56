import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect } from 'vitest';
import { streamFromPod } from '../../activities/executors/pod-exec.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { readBytes } from '../../transfer/read-artifact.ts';
import { restoreGuideText } from '../../transfer/restore-guide.ts';
import type { Store } from '../../transfer/store.ts';
import { writeArtifact } from '../../transfer/write-artifact.ts';
import { localKubectl, localPod } from '../activities/local-kubectl.ts';
import { describedArtifact, describedComponent, release, testKit } from '../transfer/test-points.ts';
import { bytesOf, bytesSource, contentsOf, testFolder, testStore } from '../transfer/test-sources.ts';
import { experiment, type Seed } from './experiment.ts';
import { withFakeS3 } from './fake-s3.ts';
import { expectFailure } from './invariants.ts';

const mib = 1024 * 1024;
const mostMemoryBytes = 150 * mib;
const pieces = [
  "'",
  '"',
  '`',
  '$(touch HACKED)',
  ';touch HACKED;',
  '|',
  '&',
  '>',
  '\n',
  '\t',
  '\0',
  '*',
  '../',
  '/',
  '.',
  '-',
  '%2F',
  'ü',
  '🚢',
  ' ',
  'db',
  '\\',
  '#',
  '!',
  '~',
  '${IFS}',
  '\u202e',
];

let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

function hostileName(seed: Seed): string {
  return Array.from({ length: seed.whole(1, 8) }, () => seed.pick(pieces)).join('');
}

describe('names and contents that mean harm', () => {
  experiment(
    { number: 34, small: 40, full: 2_000, holds: 'are kept byte by byte under their very name, or refused by it' },
    async (seed) => {
      const name = hostileName(seed);
      const plain = Buffer.concat([
        Buffer.alloc(seed.whole(0, 50)),
        seed.bytes(seed.whole(0, 5_000)),
        Buffer.from('\0\n\0'),
      ]);
      const write = async (store: Store): Promise<void> => {
        const artifact = await writeArtifact({
          ...{ store, prefix: 'points/p', name, source: bytesSource(plain), recipients: kit.recipients },
          ...{ minimumProofs: ['status'], restoreCommand: 'cat' },
        }).catch((error: unknown) => expectFailure(error, ['InputInvalid'], /cannot be the name of an object/));
        if (artifact instanceof Error) {
          expect(await contentsOf(store)).toEqual([]);
          return;
        }
        expect(await contentsOf(store)).toEqual([`points/p/${name}/0001.zst.age`]);
        expect((await readBytes({ store, artifact, identity: kit.identity })).equals(plain)).toBe(true);
      };
      if (seed.random() < 0.5) await write(testStore());
      else await withFakeS3({}, async (fake) => write(await fake.open()));
    },
  );

  experiment(
    { number: 34, small: 10, full: 500, holds: 'are words of a shell in RESTORE.md, and nothing else' },
    (seed) => {
      const prefix = 'points/prod/data/postgresql/p';
      const name = hostileName(seed).replaceAll('\0', '');
      const artifact = { ...describedArtifact(prefix, name, 10), name };
      const text = restoreGuideText({
        ...{ release, point: 'p', capturedAt: '2026-11-24T22:00:00.000Z', storeAddress: `s3://b/${name}` },
        components: [{ ...describedComponent(prefix, 10), artifacts: [artifact] }],
        ...{ plan: describedArtifact(prefix, 'plan', 10), publicKey: kit.signing.publicKey },
      });
      const line = text.split('check_artifact ')[1]?.split('\nopen_artifact')[0] ?? '';
      const folder = testFolder();
      const shell = `check_artifact() { shift; printf %s "$1"; }; check_artifact ${line}`;
      const printed = execFileSync('bash', ['-c', shell], { cwd: folder });
      expect(printed.toString()).toBe(`${name}/0001.zst.age`);
      expect(existsSync(join(folder, 'HACKED'))).toBe(false);
      return Promise.resolve();
    },
  );

  experiment(
    { number: 34, small: 4, full: 100, atOnce: 2, holds: 'reach the command in a container as its arguments' },
    async (seed) => {
      const words = Array.from({ length: seed.whole(1, 4) }, () => hostileName(seed).replaceAll('\0', ''));
      const source = streamFromPod(await localKubectl(), localPod, ['printf', '%s\\0', ...words]);
      const printed = await bytesOf(source.bytes);
      expect(printed.toString()).toBe(words.map((word) => `${word}\0`).join(''));
      expect(await source.end()).toMatchObject({ exitCode: 0, statusSeen: true });
    },
  );

  experiment(
    { number: 34, small: 1, full: 4, holds: 'do not fill the memory where a command floods its stderr' },
    async (seed) => {
      const size = seed.whole(100, 200) * mib * (seed.seed > 2 ? 5 : 1);
      const flood = `head -c ${String(size)} /dev/zero | tr '\\0' 'e' | fold -w 999 >&2; printf 'exact\\000bytes'; echo >&2; echo the last word >&2`;
      const before = process.memoryUsage().rss;
      let most = 0;
      const timer = setInterval(() => {
        most = Math.max(most, process.memoryUsage().rss);
      }, 50);
      const source = streamFromPod(await localKubectl(), localPod, ['sh', '-c', flood]);
      expect((await bytesOf(source.bytes)).toString()).toBe('exact\0bytes');
      expect(await source.end()).toMatchObject({ exitCode: 0, statusSeen: true, lastLine: 'the last word' });
      clearInterval(timer);
      expect(most - before).toBeLessThan(mostMemoryBytes);
    },
  );
});
