import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect } from 'vitest';
import { streamFromPod } from '../../activities/executors/pod-exec.ts';
import type { FailureCode } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import type { ByteSource } from '../../transfer/source.ts';
import type { Store } from '../../transfer/store.ts';
import type { ArtifactToWrite } from '../../transfer/write-artifact.ts';
import { localPod } from '../activities/local-kubectl.ts';
import { testKit } from '../transfer/test-points.ts';
import { bytesSource, sha256, testFolder, testStore } from '../transfer/test-sources.ts';
import { backUp, pointOf } from './back-up.ts';
import { experiment, type Seed } from './experiment.ts';
import { withFakeS3 } from './fake-s3.ts';
import { expectFailure, expectInvariants, rejectionOf } from './invariants.ts';

const mib = 1024 * 1024;
const inPipes = 512 * 1024;
const trailer = '-- Dump completed';
/**
 * Hands on what is said to have arrived, in the place of what the command wrote, behind the first line of the stream. Its last
 * line does not arrive, so that nobody says that it did: the command is not kept waiting for that.
 */
const plainRelay = 'IFS= read -r first; echo "${first% *} plain"; cat >/dev/null; cat "$ARRIVED"';

let kit: RecoveryKit;

beforeAll(async () => {
  kit = await testKit();
});

/** A dump that ends as a dump does. */
function dumpOf(seed: Seed): Buffer {
  return Buffer.concat([seed.bytes(seed.whole(inPipes, 9 * mib)), Buffer.from(`\n${trailer} on 2026-11-24\n`)]);
}

/**
 * A command in a container, reached through a kubectl of this experiment: a real process that runs the real command with its
 * proofs, and hands its output on as `relay` says. It ends what it runs when it is told to end.
 */
function podSource(of: {
  command: string;
  relay?: string;
  plain?: Buffer;
  arrived?: Buffer;
  /** Not a word of the pod arrives, and kubectl exits with 0. */
  mute?: boolean;
}): ByteSource & { pid(): number } {
  const folder = testFolder();
  const file = (name: string, content: Buffer | string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const kubectl = file(
    'kubectl',
    `#!/bin/bash
export PLAIN=${file('plain', of.plain ?? '')} ARRIVED=${file('arrived', of.arrived ?? '')}
while [ "$1" != -- ]; do shift; done; shift
set -m
relay() { ${of.relay ?? 'cat'}; }
{ "$@" ${of.arrived === undefined ? '' : '</dev/null'} ${of.mute === true ? '2>/dev/null' : ''} | { sh -c 'echo $PPID' > ${join(folder, 'pid')}; relay; }; exit \${PIPESTATUS[1]}; } &
trap 'kill -9 -- -$!; exit 143' TERM
wait $!
`,
  );
  chmodSync(kubectl, 0o755);
  const access = { kubectl, helm: 'helm', kubeconfig: undefined, context: undefined };
  const source = streamFromPod(access, localPod, ['sh', '-c', of.command]);
  return { ...source, pid: () => Number(readFileSync(join(folder, 'pid'), 'utf8')) };
}

/** Backs a source up, which must fail with one of these codes; nothing is left and nothing is listed. */
async function expectRefused(
  seed: Seed,
  source: ByteSource,
  codes: readonly FailureCode[],
  message: RegExp,
  rules: Partial<ArtifactToWrite> = {},
): Promise<void> {
  const isDirectory = seed.random() < 0.5;
  const cut = { frameBytes: seed.whole(50_000, 2 * mib), segmentBytes: seed.whole(2, 6) * mib };
  const engine = seed.pick(['inline', 'threads'] as const);
  const tryIt = async (store: Store): Promise<void> => {
    const rulesOfCase = { ...cut, engine, ...rules };
    const failed = await rejectionOf(
      backUp({ store, kit, id: pointOf(seed), source: () => source, rules: rulesOfCase }),
    );
    expectFailure(failed, codes, message);
    await expectInvariants({ store, kit, points: [] });
  };
  if (isDirectory) await tryIt(testStore());
  else await withFakeS3({}, async (fake) => tryIt(await fake.open()));
}

const demands: Partial<ArtifactToWrite> = {
  minimumProofs: ['status', 'trailer'],
  trailer: { kind: 'text', endsWith: trailer },
};

describe('a stream that is not whole', () => {
  experiment(
    {
      number: 1,
      holds: 'is never a backup when the command that makes it, or the connection to it, is killed at any byte',
      small: 8,
      full: 200,
    },
    async (seed) => {
      const plain = dumpOf(seed);
      // what is in the pipes when it is killed still arrives
      const at = seed.whole(0, plain.byteLength - inPipes);
      const inPod = podSource({ plain, command: `head -c ${String(at)} "$PLAIN"; kill -9 $$` });
      if (seed.random() < 0.5) {
        await expectRefused(seed, inPod, ['DumpFailed'], /exit 137/);
        return;
      }
      const source = podSource({ plain, command: 'cat "$PLAIN"', relay: 'exec cat' });
      let killed = false;
      const onProgress = (bytes: number): void => {
        if (killed || bytes < at) return;
        killed = true;
        process.kill(source.pid(), 'SIGKILL');
      };
      await expectRefused(seed, source, ['DumpFailed', 'DumpEndedEarly'], /exit 1[34]|without its proof|not the ones/, {
        onProgress,
      });
    },
  );

  experiment(
    {
      number: 2,
      holds: 'is told apart: a command that fails after its last byte, and one that ends well without its trailer',
      small: 2,
      full: 40,
    },
    async (seed) => {
      const plain = dumpOf(seed);
      const failing = podSource({ plain, command: 'cat "$PLAIN"; echo connection to server was lost >&2; exit 1' });
      await expectRefused(seed, failing, ['DumpFailed'], /exit 1, connection to server was lost/, demands);
      const at = seed.whole(0, plain.byteLength - trailer.length - 20);
      const short = podSource({ plain, command: `head -c ${String(at)} "$PLAIN"` });
      await expectRefused(seed, short, ['DumpEndedEarly'], /its last line .* is missing/, demands);
    },
  );

  experiment(
    {
      number: 3,
      holds: 'is refused when it is closed cleanly at any byte without a status',
      small: 3,
      full: 100,
      atOnce: 2,
    },
    async (seed) => {
      const plain = dumpOf(seed);
      const arrived = plain.subarray(0, seed.whole(0, plain.byteLength));
      const source = podSource({ plain, arrived, command: 'cat "$PLAIN"', relay: plainRelay, mute: true });
      await expectRefused(seed, source, ['DumpEndedEarly'], /without its proof of status/);
    },
  );

  experiment(
    {
      number: 4,
      holds:
        'is refused by its digest or its count when bytes were cut out, doubled or swapped, though the status is 0',
      small: 8,
      full: 300,
    },
    async (seed) => {
      const plain = Buffer.concat([seed.bytes(seed.whole(200_000, 3 * mib)), Buffer.from(`\n${trailer}\n`)]);
      const piece = seed.whole(1, 65_536);
      const at = seed.whole(0, plain.byteLength - 2 * piece - 40);
      const [before, one, other, after] = [
        plain.subarray(0, at),
        plain.subarray(at, at + piece),
        plain.subarray(at + piece, at + 2 * piece),
        plain.subarray(at + 2 * piece),
      ];
      const damage = seed.pick(['cut', 'end', 'doubled', 'swapped'] as const);
      const arrived = {
        cut: Buffer.concat([before, other, after]),
        end: plain.subarray(0, plain.byteLength - piece),
        doubled: Buffer.concat([before, one, one, other, after]),
        swapped: Buffer.concat([before, other, one, after]),
      }[damage];
      if (damage !== 'swapped' && seed.random() < 0.3) {
        const counted = bytesSource(arrived, { countBytes: plain.byteLength });
        await expectRefused(seed, counted, ['DumpEndedEarly'], /the source counted [0-9]+ bytes, [0-9]+ arrived/);
        return;
      }
      if (sha256(arrived) === sha256(plain)) return;
      const source = podSource({ plain, arrived, command: 'cat "$PLAIN"', relay: plainRelay });
      await expectRefused(seed, source, ['DumpEndedEarly'], /are not the ones that the source hashed/);
    },
  );

  experiment(
    {
      number: 5,
      holds: 'is given up when no byte comes any more, and what makes it is ended',
      small: 2,
      full: 40,
      atOnce: 2,
    },
    async (seed) => {
      const plain = dumpOf(seed);
      const at = seed.whole(0, plain.byteLength);
      const source = podSource({ plain, command: `head -c ${String(at)} "$PLAIN"; sleep 600` });
      const since = Date.now();
      await expectRefused(seed, source, ['DumpStalled'], /no byte arrived for 700 ms/, { stallMs: 700 });
      const end = await Promise.race([source.end(), pause(10_000)]);
      expect(end?.statusSeen).toBe(false);
      expect(isRunning(source.pid())).toBe(false);
      expect(Date.now() - since).toBeLessThan(15_000);
    },
  );
});

/** Nobody may reap it here: what has ended has no command line any more. */
function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`).byteLength > 0;
  } catch {
    return false;
  }
}
