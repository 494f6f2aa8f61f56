import type { Facts, FactTotals } from '../../model/facts.ts';
import { DigestSum } from './digest-sum.ts';
import { pathSegment } from './path-segment.ts';
import type { RdbKey, RdbVisitor } from './rdb.ts';

/** Above so many keys, keys are not listed: their digests are summed, those that end by the minute in which they do. */
const listedKeys = 200_000;

/** `keys`: a fact for each key. `sums`: a fact for each database and kind, and for each minute in which keys end. */
export type RedisFactsForm = 'keys' | 'sums';

/** Gathers the facts of a snapshot while it is read. */
export type RedisFacts = { readonly visitor: RdbVisitor; facts(): Facts; readonly totals: FactTotals };

/**
 * Facts of a snapshot: `db/<n>/key/<name>` → type, digest, end of the key, end of its first field; `function/<library>`.
 * @param form - the form of the facts that these are compared with; left out, it follows from the number of keys
 */
export function gatherRedisFacts(form?: RedisFactsForm): RedisFacts {
  const totals = { databases: 0, keys: 0, expiring: 0, functions: 0 };
  const functions: Facts = {};
  const databases = new Set<number>();
  let listed: Map<string, string> | undefined = form === 'sums' ? undefined : new Map();
  const sums = new Map<string, DigestSum>();
  const addToSum = (path: string, fact: string): void => {
    const sumOf = sumPath(path, fact);
    const sum = sums.get(sumOf) ?? new DigestSum();
    sums.set(sumOf, sum);
    sum.add([Buffer.from(path), Buffer.from(fact)]);
  };
  return {
    totals,
    visitor: {
      key: (key) => {
        databases.add(key.db);
        totals.databases = databases.size;
        totals.keys += 1;
        if (key.expiresMs !== undefined || key.fieldExpiresMs !== undefined) totals.expiring += 1;
        const path = `db/${String(key.db)}/key/${pathSegment(key.name)}`;
        if (listed === undefined) addToSum(path, keyFact(key));
        else listed.set(path, keyFact(key));
        if (listed !== undefined && form === undefined && listed.size > listedKeys) {
          for (const [each, fact] of listed) addToSum(each, fact);
          listed = undefined;
        }
      },
      function: (code) => {
        totals.functions += 1;
        const sum = new DigestSum();
        sum.add([code]);
        functions[`function/${pathSegment(/^#!.*\bname=(\S+)/.exec(code.toString())?.[1] ?? sum.text)}`] = sum.text;
      },
    },
    facts: () =>
      listed === undefined
        ? { ...functions, ...Object.fromEntries([...sums].map(([path, sum]) => [path, sum.text])), form: 'sums' }
        : { ...functions, ...Object.fromEntries(listed), form: 'keys' },
  };
}

/** The form of facts that were captured. */
export function formOf(facts: Facts): RedisFactsForm {
  return facts['form'] === 'sums' ? 'sums' : 'keys';
}

/** Facts of keys that have ended at `at`, or of which a field has. */
export function expiredKeys(facts: Facts, at: Date): string[] {
  return Object.entries(facts).flatMap(([path, value]) => {
    const end = /^db\/[0-9]+\/key\//.test(path)
      ? endOf(String(value))
      : Date.parse(/^db\/[0-9]+\/ends\/(.*)$/.exec(path)?.[1] ?? '');
    return end !== undefined && end <= at.getTime() ? [path] : [];
  });
}

function keyFact({ type, digest, expiresMs, fieldExpiresMs }: RdbKey): string {
  return `${type} ${digest} ${String(expiresMs ?? '-')}${fieldExpiresMs === undefined ? '' : ` ${String(fieldExpiresMs)}`}`;
}

/** When the first of what is in the key ends; undefined where nothing does. */
function endOf(fact: string): number | undefined {
  const ends = fact
    .split(' ')
    .slice(2)
    .filter((part) => part !== '-')
    .map(Number);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

function sumPath(path: string, fact: string): string {
  const [, db = ''] = path.split('/');
  const end = endOf(fact);
  return end === undefined
    ? `db/${db}/stays/${fact.split(' ')[0] ?? ''}`
    : `db/${db}/ends/${new Date(Math.floor(end / 60_000) * 60_000).toISOString()}`;
}
