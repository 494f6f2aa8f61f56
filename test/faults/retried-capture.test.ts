import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterAccess, PodAddress } from '../../activities/clients/kubectl.ts';
import { streamFromPod } from '../../activities/executors/pod-exec.ts';
import { openSandbox } from '../e2e/ground.ts';
import { slowness } from '../slowness.ts';
import { type ApiProxy, type Refusal, startApiProxy } from './api-proxy.ts';
import { type CaptureGround, openCaptureGround } from './capture-ground.ts';
import { expectFailure } from './expect-failure.ts';

const mebibyte = 1024 ** 2;
/** Of a capture: the attempts, and what a kubectl asks for in each: a WebSocket, then SPDY. */
const attempts = 5;
const callsOfAttempt = 2;

describe('a capture is tried again', () => {
  let ground: CaptureGround;
  let proxy: ApiProxy;
  let refuse: (line: string) => Refusal | undefined = () => undefined;

  beforeAll(async () => {
    ground = await openCaptureGround('retried');
    proxy = await startApiProxy((await openSandbox()).kubeconfig, ground.setting.directory, (line) => refuse(line));
    await ground.useWorker({ KUBECONFIG: proxy.kubeconfig });
  });

  afterEach(() => {
    refuse = () => undefined;
    proxy.comeBack();
    ground.letGo();
  });

  afterAll(async () => {
    await ground.close();
    await proxy.stop();
  });

  it('later each time, where the API server refuses its exec with 429, 500 and a closed connection', async () => {
    const calls = refuseDumps([429, 500, 'closed']);
    await ground.expectPoint(await ground.backUp());

    const since = [...calls.values()].map(([first = 0]) => first);
    const waited = since.slice(1).map((at, index) => at - (since[index] ?? 0));
    expect(waited).toHaveLength(3);
    for (const [index, ms] of waited.entries()) expect(ms).toBeGreaterThan(1_000 * 2 ** index);
    expect([...calls.values()].flat().length).toBeLessThanOrEqual(3 * callsOfAttempt + 1);
  });

  it('as every other step, where the API server is away at the beginning and in the middle of the dump', async () => {
    proxy.goAway();
    const back = pause(10_000).then(() => {
      proxy.comeBack();
    });
    const started = await ground.backUpUntilHeldUp();
    await back;
    proxy.goAway();
    ground.letGo();
    await pause(10_000);
    proxy.comeBack();

    await ground.expectPoint(started);
  });

  it('four times, where the API server goes on to refuse its exec', async () => {
    const calls = refuseDumps(Array<Refusal>(attempts + 1).fill(429));
    await expectFailure(ground, ['backup', ground.names.postgresql], {
      outcome: 'failed',
      code: 'DumpFailed',
      message: /^capture databases\.database-shop: exit 1, .*(429|too many requests)/i,
      compensation: 'done',
    });

    expect(calls.size).toBe(attempts);
    expect([...calls.values()].flat().length).toBeLessThanOrEqual(attempts * callsOfAttempt);
  });

  it.each([
    { what: 'pod is deleted', end: ['delete', 'pod', 'postgresql-0', '--grace-period=1'] },
    {
      what: 'container is restarted',
      end: ['exec', 'postgresql-0', '-c', 'postgresql', '--', 'sh', '-c', '(sleep 1; kill -QUIT 1) >/dev/null 2>&1 &'],
    },
  ])('on the new one, where in the middle of its dump its $what', async ({ end }) => {
    const before = await generation();
    const started = await ground.backUpUntilHeldUp();

    await ground.kubectl(['-n', ground.namespace, ...end]);
    await expect.poll(generation, { timeout: 60_000 * slowness, interval: 200 }).not.toBe(before);
    ground.letGo();
    const point = await ground.expectPoint(started);

    const dumps = (await ground.ofTheDump()).filter((key) => key.includes(point));
    expect(dumps.map((key) => /attempt-\d+/.test(key))).toEqual([true]);
  });

  it('not at all, however slowly the bytes of a pod are read', async () => {
    const { access, pod } = podOf();
    const source = streamFromPod(access, pod, ['head', '-c', String(12 * mebibyte), '/dev/urandom']);
    const hash = createHash('sha256');
    for await (const chunk of source.bytes) {
      hash.update(chunk);
      await pause((chunk.byteLength / mebibyte) * 1_000);
    }

    expect(await source.end()).toMatchObject({ exitCode: 0, statusSeen: true, digestSha256: hash.digest('hex') });
  });

  function podOf(): { access: ClusterAccess; pod: PodAddress } {
    const { kubeconfig, context, tools } = ground.sandbox;
    return {
      access: { ...tools, kubeconfig, context },
      pod: { namespace: ground.namespace, pod: 'postgresql-0', container: 'postgresql' },
    };
  }

  /** Refuses the exec of the dump in its first attempts so. @returns when each attempt called, by its nonce */
  function refuseDumps(refusals: readonly Refusal[]): Map<string, number[]> {
    const calls = new Map<string, number[]>();
    refuse = (line) => {
      const nonce = /command=(lifeboat-[0-9a-f]{24}).*command=pg_dump.*command=shop/.exec(line)?.[1];
      if (nonce === undefined) return undefined;
      calls.set(nonce, [...(calls.get(nonce) ?? []), Date.now()]);
      return refusals[[...calls.keys()].indexOf(nonce)];
    };
    return calls;
  }

  /** Changes with the pod and with each start of its container; empty where there is no pod. */
  async function generation(): Promise<string> {
    const container = '.status.containerStatuses[?(@.name=="postgresql")]';
    const path = `{range .items[*]}{.metadata.uid} {${container}.restartCount}{end}`;
    const selected = ['-n', ground.namespace, '--field-selector=metadata.name=postgresql-0', '-o', `jsonpath=${path}`];
    return await ground.kubectl(['get', 'pods', ...selected]);
  }
});
