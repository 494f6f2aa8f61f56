import { compareFacts, type Facts, type FactsComparison } from '../model/facts.ts';
import { componentRules } from './facts/component-rules.ts';
import { methodOf } from './method-context.ts';
import type { RestoreContext } from './methods/method.ts';

/**
 * Reads the facts of a target and compares them with the captured ones, by the rules of the plan. Facts that can no
 * longer be expected, because their time to live has passed, are an exception.
 * @param read - the facts of the target, where they were read already
 */
export async function compareTarget(context: RestoreContext<unknown>, read?: Facts): Promise<FactsComparison> {
  const { component, bound, capturedFacts } = context;
  const method = methodOf(component);
  const after = read ?? (await method.readFacts(context));
  const gone = method.expired?.(capturedFacts, new Date()) ?? { paths: [], reason: '' };
  const expired = new Set(gone.paths);
  const without = (facts: Facts): Facts =>
    Object.fromEntries(Object.entries(facts).filter(([path]) => !expired.has(path)));
  const comparison = compareFacts(
    without(capturedFacts),
    without(after),
    componentRules(bound.plan.compare, component.name),
  );
  if (expired.size === 0) return comparison;
  const exception = { facts: `${component.name}/**`, reason: gone.reason, count: expired.size, bound: expired.size };
  return { ...comparison, exceptions: [...comparison.exceptions, exception] };
}
