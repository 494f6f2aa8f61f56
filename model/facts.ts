import { z } from 'zod';
import type { CompareRule } from './recovery-plan.ts';

/**
 * Facts of one component: path → figure or digest, `db/app/table/public.orders/rows` → 120.
 * They name tables, keys and grants, so they are stored encrypted and never enter a history; only totals do.
 */
export const Facts = z.record(z.string(), z.union([z.string(), z.number()]));
export type Facts = z.infer<typeof Facts>;

/** What a report shows of facts: `{ tables: 118, rows: 3100000 }`. */
export const FactTotals = z.record(z.string(), z.number());
export type FactTotals = z.infer<typeof FactTotals>;

/** The result of comparing captured with restored facts. Paths are those of Facts. */
export type FactsComparison = {
  readonly equal: boolean;
  readonly compared: number;
  readonly differences: readonly { path: string; before: string | number | null; after: string | number | null }[];
  readonly differenceCount: number;
  readonly exceptions: readonly { facts: string; reason: string; count: number; bound: number }[];
};

const shownDifferences = 20;

/** Whether `path` fits `pattern`: `*` is one segment, `**` any number of them. */
export function matchesPath(pattern: string, path: string): boolean {
  const expression = pattern
    .split('/')
    .map((segment) => (segment === '**' ? '.*' : segment.split('*').map(escapeExpression).join('[^/]*')))
    .join('/');
  return new RegExp(`^${expression}$`).test(path);
}

function escapeExpression(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

/**
 * Compares the facts of a capture with those of its restore. What no rule lists must be equal, in both directions:
 * a fact that is missing or new is a difference. The first rule that fits a path holds.
 */
export function compareFacts(before: Facts, after: Facts, rules: readonly CompareRule[]): FactsComparison {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const excepted = new Map<Extract<CompareRule, { as: 'equalExcept' }>, number>();
  const differences: { path: string; before: string | number | null; after: string | number | null }[] = [];
  for (const path of paths) {
    const was = before[path] ?? null;
    const is = after[path] ?? null;
    if (was === is) continue;
    const rule = rules.find((candidate) => matchesPath(candidate.facts, path));
    if (rule?.as === 'atLeast' && typeof was === 'number' && typeof is === 'number' && is >= was) continue;
    if (rule?.as === 'equalExcept') {
      const count = (excepted.get(rule) ?? 0) + 1;
      excepted.set(rule, count);
      if (count <= rule.bound) continue;
    }
    differences.push({ path, before: was, after: is });
  }
  return {
    equal: differences.length === 0,
    compared: paths.length,
    differences: differences.slice(0, shownDifferences),
    differenceCount: differences.length,
    exceptions: [...excepted].map(([{ facts, reason, bound }, count]) => ({ facts, reason, count, bound })),
  };
}

/** Segments of fact paths that name a kind and no thing. */
const kinds = new Set(
  (
    'db database table rows digest sequence last covers relation definition index constraint trigger function enum schema extension ' +
    'policy largeobject count role member settings comment view event routine procedure program account grants charset key keys type ' +
    'value ttl expires file attributes acl directory symlink release chart values Secret ConfigMap PersistentVolumeClaim data claim vhosts users ' +
    'permissions queues exchanges bindings policies parameters metric series samples range from to deletions silence present'
  ).split(' '),
);

/** What a path of facts is about, without names: `db…/table…/rows`. */
export function kindsOfPath(path: string): string {
  return path
    .split('/')
    .filter((segment) => kinds.has(segment))
    .join('…/');
}

/**
 * What differs, without the names of tables, keys and files: those are secrets too, and this stands in histories.
 * `table…/rows was 120, is 119`
 */
export function describeDifferences({ differences, differenceCount, compared }: FactsComparison): string {
  const shown = differences.slice(0, 5).map(({ path, before, after }) => {
    return `${kindsOfPath(path)} was ${shorten(before)}, is ${shorten(after)}`;
  });
  return `${String(differenceCount)} of ${String(compared)} facts differ: ${shown.join('; ')}`;
}

function shorten(value: string | number | null): string {
  return value === null ? 'missing' : String(value).slice(0, 24);
}

/** Totals that say most to a reader, before the others. */
const telling = [
  'tables',
  'rows',
  'series',
  'samples',
  'silences',
  'keys',
  'queues',
  'messages',
  'files',
  'users',
  'settings',
];

/** The totals that are not zero, those that say most first: `3 tables, 12 rows`. */
export function describeTotals(totals: FactTotals, most: number): string {
  const rank = (name: string): number => (telling.includes(name) ? telling.indexOf(name) : telling.length);
  return Object.entries(totals)
    .filter(([, value]) => value > 0)
    .sort(([one], [other]) => rank(one) - rank(other))
    .slice(0, most)
    .map(([name, value]) => `${groupThousands(value)} ${name.replace(/([A-Z])/g, ' $1').toLowerCase()}`)
    .join(', ');
}

/** `1,234,567`, whatever the host's language is. */
function groupThousands(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}
