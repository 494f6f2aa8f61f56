import { Context } from '@temporalio/activity';
import { compareFacts, describeDifferences, type Facts, kindsOfPath } from '../model/facts.ts';
import { failure } from '../model/failures.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { compareTarget } from './compare-target.ts';
import { componentRules } from './facts/component-rules.ts';
import { type KeptAs, keepFacts, readKeptFacts } from './kept-facts.ts';
import { methodOf } from './method-context.ts';
import type { RestoreContext } from './methods/method.ts';
import type { ComparedComponent } from './recover.ts';
import { contextOfRestore, readRecovery } from './recovery-document.ts';
import { recordOf } from './restore-context.ts';

/** The activities that compare and carry data between the two releases of a blue-green upgrade. */
export function createGreenDataActivities(backends: Backends) {
  return {
    /**
     * Compares the live facts of a component with the point of the run, as `compareComponent`, and keeps them for later.
     * @throws FactsDiffer
     */
    async compareAndKeep(of: { release: string; component: string; as: KeptAs }): Promise<ComparedComponent> {
      const { context, manifest } = await open(of);
      const facts = await read(context);
      const comparison = await compareTarget(context, facts);
      if (!comparison.equal) throw differ(of, describeDifferences(comparison));
      await keepFacts(backends, { ...of, facts, attempt: Context.current().info.attempt });
      const { compared, exceptions } = comparison;
      return { compared, equal: true, totals: recordOf(manifest, of.component).totals, exceptions };
    },

    /** Keeps the facts of a component as they are while nobody writes. */
    async keepLiveFacts(of: { release: string; component: string; as: KeptAs }): Promise<void> {
      const { context } = await open(of);
      await keepFacts(backends, { ...of, facts: await read(context), attempt: Context.current().info.attempt });
    },

    /** Compares a component with the facts that the run kept. @returns how many. @throws FactsDiffer */
    async compareWithKept(of: { release: string; component: string; as: KeptAs }): Promise<number> {
      const { context } = await open(of);
      // The data came with the administrator of green, whose password is that of the same Secret or values.
      const facts = await read({ ...context, keepsCredentials: true });
      return compare(of, context, await readKeptFacts(backends, of), facts);
    },

    /**
     * Brings what was written in green since the cutover into the release that it was to replace, and compares the two.
     * Nothing is brought, and nothing is lost, where nothing was written. Idempotent: the whole of it is brought each time,
     * in one transaction. @returns how many facts had changed. @throws RollbackRefused with what would be lost, FactsDiffer
     */
    async carryBack(of: { release: string; green: string; component: string }): Promise<number> {
      const from = (await open({ release: of.green, component: of.component })).context;
      const to = (await open(of)).context;
      const { carryBack } = methodOf(from.component);
      const was = await readKeptFacts(backends, { component: of.component, as: 'cutover' });
      const is = await read(from);
      const changed = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((path) => was[path] !== is[path]);
      const beyond = (await carryBack?.beyondFacts(from, to)) ?? [];
      const lost = [...describeChanges(was, is, changed, carryBack?.isData), ...beyond];
      if (lost.length > 0)
        throw failure('RollbackRefused', {
          message: `go back to ${of.release}: of ${of.component} would be lost: ${lost.slice(0, 12).join('; ')}${lost.length > 12 ? `; and ${String(lost.length - 12)} more` : ''}`,
          changed: 'no',
          subject: of.component,
        });
      if (changed.length > 0) {
        reportProgress(`bring ${of.component} of ${of.green} back into ${of.release}`);
        await carryBack?.carry(from, to, changed);
      }
      compare(of, to, is, await read(to));
      return changed.length;
    },

    /** Drops what restores of this run left of the data that green had before them. Idempotent. */
    async dropReplaced(of: { release: string; component: string }): Promise<void> {
      const { context } = await open(of);
      reportProgress(`drop what was replaced in ${of.release} ${of.component}`);
      const { replaced } = methodOf(context.component);
      for (const { name } of (await replaced?.list(context)) ?? []) await replaced?.drop(context, name);
    },
  };

  async function open(of: { release: string; component: string }) {
    const recovery = await readRecovery(backends, of.release);
    return { context: await contextOfRestore(backends, recovery, of.component), manifest: recovery.manifest };
  }

  async function read(context: RestoreContext<unknown>): Promise<Facts> {
    reportProgress(`read the facts of ${context.component.name}`);
    return await methodOf(context.component).readFacts(context);
  }
}

function differ(of: { release: string; component: string }, how: string): Error {
  return failure('FactsDiffer', {
    message: `compare ${of.release} ${of.component}: ${how}`,
    changed: 'yes',
    subject: of.component,
  });
}

function compare(
  of: { release: string; component: string },
  { bound, component }: RestoreContext<unknown>,
  before: Facts,
  after: Facts,
): number {
  const comparison = compareFacts(before, after, componentRules(bound.plan.compare, component.name));
  if (!comparison.equal) throw differ(of, describeDifferences(comparison));
  return comparison.compared;
}

/** Changes that no carry brings back, by kind: names of tables and keys stay out of messages. */
function describeChanges(
  was: Facts,
  is: Facts,
  changed: readonly string[],
  isData: ((path: string, was: Facts) => boolean) | undefined,
): string[] {
  const counts = new Map<string, number>();
  for (const path of changed) {
    if (isData?.(path, was) === true) continue;
    const how = was[path] === undefined ? 'new' : is[path] === undefined ? 'gone' : 'changed';
    const kind = `${kindsOfPath(path)} ${how}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].map(([kind, count]) => `${String(count)} × ${kind}`);
}
