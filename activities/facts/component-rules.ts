import type { CompareRule } from '../../model/recovery-plan.ts';

/** The compare rules of a plan as they fit the facts of one component: without the component's name in front. */
export function componentRules(rules: readonly CompareRule[], component: string): CompareRule[] {
  const prefix = `${component}/`;
  return rules.map((rule) =>
    rule.facts.startsWith(prefix) ? { ...rule, facts: rule.facts.slice(prefix.length) } : rule,
  );
}
