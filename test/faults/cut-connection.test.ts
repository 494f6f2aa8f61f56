import { execFileSync } from 'node:child_process';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterAccess, PodAddress } from '../../activities/clients/kubectl.ts';
import { runInPod, streamFromPod, streamToPod } from '../../activities/executors/pod-exec.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { type Ground, openGround } from '../e2e/ground.ts';
import { backUp, pointOf } from '../seeded/back-up.ts';
import { experiment, type Seed } from '../seeded/experiment.ts';
import { expectFailure, expectInvariants } from '../seeded/invariants.ts';
import { testKit } from '../transfer/test-points.ts';
import { sha256, testFolder, testStore } from '../transfer/test-sources.ts';
import { type ApiProxy, type Cut, startApiProxy } from './api-proxy.ts';

const count = 300_000;

/** One whose image has zstd, so that what passes is packed, and one whose image has none. */
type PodOfTest = 'postgresql' | 'redis';

describe('a connection to a pod that is cut', () => {
  let ground: Ground;
  let proxy: ApiProxy;
  let kit: RecoveryKit;
  let cut: Cut | undefined;
  let plain: Buffer;
  /** Bytes that pass when nothing is cut, by what is done. */
  const whole = new Map<string, { down: number; up: number }>();
  let tried = 0;
  let refused = 0;

  beforeAll(async () => {
    ground = await openGround('cut-connection');
    proxy = await startApiProxy(ground.sandbox.kubeconfig, testFolder(), (line) =>
      line.includes('command=lifeboat-') ? cut : undefined,
    );
    kit = await testKit();
    plain = execFileSync('seq', ['1', String(count)], { maxBuffer: 2 ** 26 });
  });

  afterAll(async () => {
    await ground.close();
    await proxy.stop();
  });

  function access(): ClusterAccess {
    const { tools, context } = ground.sandbox;
    return { ...tools, kubeconfig: proxy.kubeconfig, context };
  }

  function podOf(name: PodOfTest): PodAddress {
    return { namespace: ground.namespace, pod: `${name}-0`, container: name };
  }

  /** Does something once without a cut, to know what it passes, and then with one that follows from the seed. */
  async function cutting(seed: Seed, what: string, work: () => Promise<boolean>): Promise<void> {
    tried += 1;
    cut = { way: 'down', afterBytes: Infinity, how: 'end' };
    if (!whole.has(what)) {
      expect(await work()).toBe(true);
      whole.set(what, { ...proxy.passed });
    }
    const passed = whole.get(what) ?? { down: 0, up: 0 };
    const way = seed.pick(['down', 'up'] as const);
    cut = { way, afterBytes: seed.whole(0, passed[way]), how: seed.pick(['end', 'reset'] as const) };
    if (!(await work())) refused += 1;
  }

  experiment(
    { number: 3, holds: 'gives a whole point or none, at whatever byte a capture is cut', small: 16, full: 200 },
    async (seed) => {
      const name = seed.pick<PodOfTest>(['postgresql', 'redis']);
      await cutting(seed, `capture ${name}`, async () => {
        const store = testStore();
        const id = pointOf(seed);
        const source = () => streamFromPod(access(), podOf(name), ['seq', '1', String(count)]);
        const isMade = await backUp({ store, kit, id, source, rules: { stallMs: 20_000 } }).then(
          () => true,
          (error: unknown) => {
            expectFailure(error, ['DumpFailed', 'DumpEndedEarly', 'PodGone']);
            return false;
          },
        );
        await expectInvariants({ store, kit, points: isMade ? [{ id, plain }] : [] });
        return isMade;
      });
    },
  );

  experiment(
    { number: 27, holds: 'is no success of a restore unless the pod has every byte of it', small: 16, full: 200 },
    async (seed) => {
      const name = seed.pick<PodOfTest>(['postgresql', 'redis']);
      const target = `/tmp/restored-${String(seed.seed)}`;
      const sent = name === 'postgresql' ? ({ packed: true } as const) : {};
      await cutting(seed, `restore ${name}`, async () => {
        const bytes = chunksOf(name === 'postgresql' ? zstdCompressSync(plain) : plain);
        const command = ['sh', '-c', 'cat >"$1"', 'sh', target];
        const isSaidWhole = await streamToPod(access(), podOf(name), command, bytes, {
          ...sent,
          sha256: sha256(plain),
        }).then(
          () => true,
          (error: unknown) => {
            expectFailure(error, ['RestoreFailed', 'PodGone']);
            return false;
          },
        );
        const there = await runInPod(access(), podOf(name), ['sh', '-c', 'sha256sum "$1"; rm -f "$1"', 'sh', target]);
        if (isSaidWhole) expect(there.stdout.split(' ')[0]).toBe(sha256(plain));
        return isSaidWhole;
      });
    },
  );

  it('is noticed', () => {
    expect(refused).toBeGreaterThan(tried / 4);
  });
});

async function* chunksOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += 65_536)
    yield await Promise.resolve(bytes.subarray(offset, offset + 65_536));
}
