import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PodAddress } from '../../activities/clients/kubectl.ts';
import { componentRules } from '../../activities/facts/component-rules.ts';
import type { Method, RestoreContext } from '../../activities/methods/method.ts';
import type { BoundPlan, BoundWorkload } from '../../model/bound-plan.ts';
import { compareFacts, type Facts, type FactsComparison } from '../../model/facts.ts';
import type { FailureCode } from '../../model/failures.ts';
import type { SandboxRelease } from '../../sandbox/platform/release.ts';
import { startWriter } from '../../sandbox/platform/writer.ts';
import { captureInMemory, type MemoryPoint, restoreContextOf } from './memory-point.ts';
import { findSandbox, type MethodGround, type Over, openMethodGround } from './method-ground.ts';

/** What a method is tried on, and how its target is damaged. */
export type Case = {
  readonly component: string;
  /** The stream whose damage must be seen before the target is touched. */
  readonly stream: string;
  /** Changes, deletes and adds. */
  damage(workload: BoundWorkload, ground: MethodGround): Promise<unknown>;
  /** A small change that a second call must not take back. */
  touch?(workload: BoundWorkload, ground: MethodGround): Promise<unknown>;
  readonly wrongPassword?: Over;
  readonly missingTool?: Over | 'another image';
  /** What else a capture says where it cannot be made. */
  readonly refusals?: readonly {
    readonly where: string;
    readonly code: FailureCode;
    readonly over: Over;
    readonly prepare?: (workload: BoundWorkload, ground: MethodGround) => Promise<unknown>;
  }[];
  /** Leaves in the target what a capture leaves whose worker was killed: the next one takes it away. */
  readonly killedCapture?: (workload: BoundWorkload, ground: MethodGround) => Promise<unknown>;
  readonly writer?: boolean;
  /** Damages a target that runs as a newly installed one would lack it: the stock commands of RESTORE.md bring all of it back. */
  readonly byHand?: (workload: BoundWorkload, ground: MethodGround) => Promise<unknown>;
  /** Its method can put back what it replaced. */
  readonly undoes?: true;
  /** What its facts are read from is made by the restore: a live server keeps the same data in another form. */
  readonly isReadRestored?: true;
  /** It is compared, and nothing is restored. */
  readonly isEvidence?: true;
  /** What else it does, last. */
  readonly also?: readonly {
    readonly it: string;
    readonly run: (ground: MethodGround, bound: BoundPlan, workload: BoundWorkload) => Promise<void>;
  }[];
  readonly leavesNothing?: (workload: BoundWorkload, ground: MethodGround) => Promise<string>;
};

/** Runs a shell script in the workload's pod. */
export async function sh(
  ground: MethodGround,
  workload: BoundWorkload,
  script: string,
  input?: string,
): Promise<string> {
  return await ground.run(workload, ['sh', '-ceu', script], input);
}

/** Markers of an earlier run of this test are none of this one's. */
const thisRun = String(Date.now());
const sandbox = await findSandbox();
if (sandbox === undefined)
  process.stderr.write(
    'SKIPPED: the conformance of methods needs the sandbox (npm run sandbox -- up), which does not run\n',
  );

/** Tries each case of a chart on a real release of it, in a namespace of its own. `others` are installed beside it. */
export function conform(chart: string, cases: readonly Case[], others: readonly string[] = []): void {
  describe.skipIf(sandbox === undefined)(`methods on a real ${chart}`, () => {
    const namespace = `conformance-${chart}`;
    const release: SandboxRelease = { chart, namespace, name: chart };
    const beside = others.map((other) => ({ chart: other, namespace, name: other }));
    const bystander: SandboxRelease = { chart: 'memcached', namespace: `${namespace}-bystander`, name: 'memcached' };
    let ground: MethodGround;
    let bound: BoundPlan;

    beforeAll(async () => {
      if (sandbox === undefined) return;
      ground = await openMethodGround(sandbox, [...beside, release, bystander]);
      bound = await ground.bind(release);
    });

    afterAll(async () => {
      // Not there where it could not be opened: that error is the one to read.
      await (ground as MethodGround | undefined)?.close();
    });

    describe.each(cases)('$component', (of) => {
      const { component } = of;
      let point: MemoryPoint;
      const method = (): Method<unknown> => ground.method(bound, component);
      const workload = (): BoundWorkload => ground.context(bound, component, 'x').workload as BoundWorkload;
      const restoreContext = (generation: string, damaged?: string, over?: Over): RestoreContext<unknown> =>
        restoreContextOf(
          ground.context(bound, component, `${thisRun}-${generation}`, over),
          point,
          damaged === undefined ? {} : { damaged },
        );
      const readFacts = async (): Promise<Facts> => await method().readFacts(restoreContext('reading'));
      const compare = (after: Facts): FactsComparison => {
        const gone = new Set(method().expired?.(point.captured.facts, new Date()).paths ?? []);
        const without = (facts: Facts): Facts =>
          Object.fromEntries(Object.entries(facts).filter(([path]) => !gone.has(path)));
        return compareFacts(
          without(point.captured.facts),
          without(after),
          componentRules(bound.plan.compare, component),
        );
      };
      const plan = (): BoundPlan['plan']['components'][number] => ground.context(bound, component, 'x').component;

      it('captures what the facts say, proven to its end', async () => {
        if (plan().captureWhile === 'stopped') await ground.scale(workload(), 0);
        point = await captureInMemory(method(), ground.context(bound, component, 'capture'));
        if (plan().captureWhile === 'running' && plan().restoreWhile === 'stopped') await ground.scale(workload(), 0);
        expect(Object.keys(point.captured.facts).length).toBeGreaterThan(0);
        expect(Math.abs(Date.now() - Date.parse(point.captured.capturedAt))).toBeLessThan(600_000);
        if (of.isReadRestored !== true)
          expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        if (plan().captureWhile === 'running' && plan().restoreWhile === 'stopped') await ground.scale(workload(), 1);
      });

      it('keeps secrets out of what it names', () => {
        expect([...point.restoreCommands.values()].join('\n')).not.toMatch(/password=|of-the-sandbox/i);
      });

      it('refuses a damaged artifact before it touches the target', async () => {
        await of.damage(workload(), ground);
        if (of.isEvidence) return;
        const before = await readFacts();
        expect(compare(before).equal).toBe(false);
        await expect(method().restore(restoreContext('damaged', of.stream))).rejects.toMatchObject({
          code: 'ArtifactDigestMismatch',
        });
        expect(await readFacts()).toEqual(before);
      });

      it('restores exactly what was captured, and a second call changes nothing', async () => {
        await method().restore(restoreContext('first'));
        expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        if (of.touch !== undefined) {
          await of.touch(workload(), ground);
          await method().restore(restoreContext('first'));
          expect(compare(await readFacts()).equal).toBe(false);
          await method().restore(restoreContext('second'));
          expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        } else await method().restore(restoreContext('first'));
        if (plan().restoreWhile === 'stopped') await ground.scale(workload(), 1);
        if (of.leavesNothing !== undefined) expect(await of.leavesNothing(workload(), ground)).toBe('');
      });

      if (of.byHand !== undefined)
        it('comes back by the stock commands of RESTORE.md alone', async () => {
          await of.byHand?.(workload(), ground);
          expect(compare(await readFacts()).equal).toBe(false);
          ground.followByHand(point);
          expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
        });

      if (of.isEvidence !== true)
        it('goes on where a restore was cut off, and leaves nothing behind', async () => {
          await of.damage(workload(), ground);
          for (const afterMs of [300, 1_200, 3_000, 6_000]) {
            const cut = new AbortController();
            const timer = setTimeout(() => {
              cut.abort(new Error('cut off'));
            }, afterMs);
            const over: Over = { signal: cut.signal };
            await method()
              .restore(restoreContext('cut', undefined, over))
              .catch(() => undefined);
            clearTimeout(timer);
          }
          await method().restore(restoreContext('cut'));
          expect(compare(await readFacts())).toMatchObject({ equal: true, differences: [] });
          if (plan().restoreWhile === 'stopped') await ground.scale(workload(), 1);
          if (of.leavesNothing !== undefined) expect(await of.leavesNothing(workload(), ground)).toBe('');
          const helpers = JSON.parse(
            await ground.kubectl(['get', 'pods', '-n', namespace, '-l', 'lifeboat.dev/run', '-o', 'json']),
          ) as { items: object[] };
          expect(helpers.items).toEqual([]);
        });

      if (of.undoes === true)
        it('puts back what it replaced', async () => {
          await of.damage(workload(), ground);
          const before = await readFacts();
          await method().restore(restoreContext('undone'));
          expect(await readFacts()).not.toEqual(before);
          await method().undoRestore?.(restoreContext('undone'));
          expect(await readFacts()).toEqual(before);
          await method().undoRestore?.(restoreContext('undone'));
          expect(await readFacts()).toEqual(before);
          if (of.leavesNothing !== undefined) expect(await of.leavesNothing(workload(), ground)).toBe('');
          await method().restore(restoreContext('after-undone'));
        });

      if (of.writer === true)
        it('captures one instant under a continuous writer', async () => {
          if (sandbox === undefined) return;
          const writer = await startWriter(sandbox, release);
          try {
            while (writer.acknowledgedCount < 20) await new Promise((resolve) => setTimeout(resolve, 200));
            point = await captureInMemory(method(), ground.context(bound, component, 'under-writer'));
          } finally {
            await writer.stop();
          }
          await method().restore(restoreContext('after-writer'));
          const rules = [{ facts: 'db/*/sequence/*/last', as: 'atLeast' as const }];
          expect(compareFacts(point.captured.facts, await readFacts(), rules)).toMatchObject({
            equal: true,
            differences: [],
          });
        });

      if (of.killedCapture !== undefined)
        it('leaves nothing of a capture that was cut off, or whose worker was killed', async () => {
          for (const afterMs of [100, 400, 800, 1_600]) {
            const cut = new AbortController();
            setTimeout(() => {
              cut.abort(new Error('cut off'));
            }, afterMs);
            const context = ground.context(bound, component, 'cut-capture', { signal: cut.signal });
            await captureInMemory(method(), context).catch(() => undefined);
          }
          await of.killedCapture?.(workload(), ground);
          expect(await of.leavesNothing?.(workload(), ground)).not.toBe('');
          await captureInMemory(method(), ground.context(bound, component, 'cut-capture'));
          expect(await of.leavesNothing?.(workload(), ground)).toBe('');
        });

      for (const { where, code, over, prepare } of of.refusals ?? [])
        it(`says ${code} where ${where}`, async () => {
          await prepare?.(workload(), ground);
          await expect(captureInMemory(method(), ground.context(bound, component, 'x', over))).rejects.toMatchObject({
            code,
          });
        });

      for (const also of of.also ?? [])
        it(also.it, async () => {
          await also.run(ground, bound, workload());
        });

      if (of.wrongPassword !== undefined)
        it('says CredentialMismatch where the password is another one', async () => {
          await expect(
            captureInMemory(method(), ground.context(bound, component, 'x', of.wrongPassword)),
          ).rejects.toMatchObject({ code: 'CredentialMismatch' });
        });

      if (of.missingTool !== undefined)
        it('says CaptureToolMissing where the image lacks the tool', async () => {
          const other = (await ground.bind(bystander)).workloads['memcached'] as BoundWorkload;
          const pods = JSON.parse(await ground.kubectl(['get', 'pods', '-n', other.namespace, '-o', 'json'])) as {
            items: { metadata: { name: string } }[];
          };
          const pod: PodAddress = {
            namespace: other.namespace,
            pod: pods.items[0]?.metadata.name ?? '',
            container: other.container,
          };
          const over: Over = of.missingTool === 'another image' ? { pod } : (of.missingTool ?? {});
          await expect(captureInMemory(method(), ground.context(bound, component, 'x', over))).rejects.toMatchObject({
            code: 'CaptureToolMissing',
          });
        });
    });
  });
}
