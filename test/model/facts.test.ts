import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareFacts,
  describeDifferences,
  describeTotals,
  Facts,
  kindsOfPath,
  matchesPath,
} from '../../model/facts.ts';
import type { CompareRule } from '../../model/recovery-plan.ts';

describe('matchesPath', () => {
  it.each([
    ['db/app/rows', 'db/app/rows', true],
    ['db/*/rows', 'db/app/rows', true],
    ['db/*/rows', 'db/app/table/rows', false],
    ['db/*', 'db/', true],
    ['db/**/rows', 'db/app/table/orders/rows', true],
    ['db/**', 'db/app/x', true],
    ['db/**', 'other/app', false],
    ['**', 'anything/at/all', true],
    ['table/public.*/rows', 'table/public.orders/rows', true],
    ['table/public.*/rows', 'table/publicXorders/rows', false],
    ['a+b/(c)', 'a+b/(c)', true],
    ['a', 'ab', false],
    ['a', 'ba', false],
  ])('%s fits %s: %s', (pattern, path, fits) => {
    expect(matchesPath(pattern, path)).toBe(fits);
  });
});

describe('compareFacts', () => {
  const reason = 'counters go on while clients are away';

  it('finds equal facts equal, whatever their order', () => {
    expect(compareFacts({ a: 1, b: 'x' }, { b: 'x', a: 1 }, [])).toEqual({
      equal: true,
      compared: 2,
      differences: [],
      differenceCount: 0,
      exceptions: [],
    });
  });

  it('calls a fact that changed, is missing or is new a difference', () => {
    expect(compareFacts({ a: 1, b: 2, c: 0 }, { a: 1, b: 3, d: 4 }, [])).toMatchObject({
      equal: false,
      compared: 4,
      differenceCount: 3,
      differences: [
        { path: 'b', before: 2, after: 3 },
        { path: 'c', before: 0, after: null },
        { path: 'd', before: null, after: 4 },
      ],
    });
  });

  it('goes through the paths in their order', () => {
    const { differences } = compareFacts({ c: 1, a: 1 }, { b: 1 }, []);
    expect(differences.map(({ path }) => path)).toEqual(['a', 'b', 'c']);
  });

  it('takes a number for no text', () => {
    expect(compareFacts({ a: 1 }, { a: '1' }, []).equal).toBe(false);
  });

  it('lets a figure grow under `atLeast`, and neither shrink nor go', () => {
    const rules: CompareRule[] = [{ facts: 'sequence/*', as: 'atLeast' }];

    expect(compareFacts({ 'sequence/a': 5 }, { 'sequence/a': 9 }, rules).equal).toBe(true);
    expect(compareFacts({ 'sequence/a': 5 }, { 'sequence/a': 4 }, rules).equal).toBe(false);
    expect(compareFacts({ 'sequence/a': 5 }, {}, rules).equal).toBe(false);
    expect(compareFacts({}, { 'sequence/a': 5 }, rules).equal).toBe(false);
    expect(compareFacts({ 'sequence/a': 'x' }, { 'sequence/a': 'y' }, rules).equal).toBe(false);
    expect(compareFacts({ 'sequence/a': 5 }, { 'sequence/a': '9' }, rules).equal).toBe(false);
    expect(compareFacts({ 'sequence/a': '5' }, { 'sequence/a': 9 }, rules).equal).toBe(false);
    expect(compareFacts({ other: 5 }, { other: 9 }, rules).equal).toBe(false);
  });

  it('excepts as many facts as the bound says, counts them all and calls the next one a difference', () => {
    const rules: CompareRule[] = [{ facts: 'counter/**', as: 'equalExcept', reason, bound: 2 }];
    const before = { 'counter/a': 1, 'counter/b/c': 1, 'counter/d': 1 };

    expect(compareFacts(before, { ...before, 'counter/a': 2, 'counter/b/c': 2 }, rules)).toMatchObject({
      equal: true,
      exceptions: [{ facts: 'counter/**', reason, count: 2, bound: 2 }],
    });
    expect(compareFacts(before, {}, rules)).toMatchObject({
      equal: false,
      differenceCount: 1,
      exceptions: [{ count: 3, bound: 2 }],
    });
    expect(compareFacts(before, before, rules).exceptions).toEqual([]);
  });

  it('follows the first rule that fits', () => {
    const rules: CompareRule[] = [
      { facts: 'counter/exact', as: 'equal' },
      { facts: 'counter/*', as: 'equalExcept', reason, bound: 9 },
    ];

    expect(compareFacts({ 'counter/exact': 1 }, { 'counter/exact': 2 }, rules).equal).toBe(false);
    expect(compareFacts({ 'counter/other': 1 }, { 'counter/other': 2 }, rules).equal).toBe(true);
  });

  it('shows twenty differences and counts all of them', () => {
    const before = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`f${String(at)}`, at]));

    const { differences, differenceCount } = compareFacts(before, {}, []);

    expect(differences).toHaveLength(20);
    expect(differenceCount).toBe(33);
  });

  it('finds every single change where no rule is', () => {
    const facts = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,3}(\/[a-z]{1,3})?$/),
      fc.oneof(fc.integer(), fc.string({ maxLength: 4 })),
      { minKeys: 1 },
    );
    fc.assert(
      fc.property(facts, fc.nat(), (before, pick) => {
        const paths = Object.keys(before);
        const path = paths[pick % paths.length] ?? '';
        const { [path]: was, ...without } = before;
        expect(compareFacts(before, { ...before }, []).equal).toBe(true);
        expect(compareFacts(before, without, []).differences).toEqual([{ path, before: was, after: null }]);
        expect(compareFacts(without, before, []).differences).toEqual([{ path, before: null, after: was }]);
        expect(compareFacts(before, { ...before, [path]: `${String(was)}!` }, []).differenceCount).toBe(1);
      }),
    );
  });
});

describe('Facts', () => {
  it('are figures and digests by their paths', () => {
    expect(Facts.parse({ 'table/a/rows': 1, 'table/a/digest': 'x' })).toEqual({
      'table/a/rows': 1,
      'table/a/digest': 'x',
    });
    for (const wrong of [null, true, ['x'], {}]) expect(Facts.safeParse({ a: wrong }).success).toBe(false);
  });
});

describe('describeDifferences', () => {
  it('names kinds and figures, never a table, key or file', () => {
    const comparison = compareFacts(
      { 'db/secretdb/table/public.salaries/rows': 120 },
      { 'db/secretdb/table/public.salaries/rows': 119 },
      [],
    );

    const text = describeDifferences(comparison);

    expect(text).toBe('1 of 1 facts differ: db…/table…/rows was 120, is 119');
  });

  it('tells of five, of what is missing, and of the beginning of a digest', () => {
    const before = Object.fromEntries(Array.from({ length: 7 }, (_, at) => [`file/${String(at)}`, at]));
    const text = describeDifferences(compareFacts(before, { ...before, 'file/0': 'x'.repeat(99) }, []));
    expect(text).toBe(`1 of 7 facts differ: file was 0, is ${'x'.repeat(24)}`);
    expect(describeDifferences(compareFacts(before, {}, []))).toBe(
      `7 of 7 facts differ: ${[0, 1, 2, 3, 4].map((at) => `file was ${String(at)}, is missing`).join('; ')}`,
    );
  });
});

describe('kindsOfPath', () => {
  it.each([
    ['database/shop/extension/pgcrypto', 'database…/extension'],
    ['largeobject/17/count', 'largeobject…/count'],
    ['keys/session:1/type', 'keys…/type'],
    ['file/etc/passwd/ttl', 'file…/ttl'],
    ['values/password', 'values'],
    ['vhosts/shop/users/alice', 'vhosts…/users'],
    ['series/up/silence', 'series…/silence'],
    ['hunter2', ''],
  ])('leaves of %s: %s', (path, kinds) => {
    expect(kindsOfPath(path)).toBe(kinds);
  });
});

describe('describeTotals', () => {
  it('shows what says most first, and nothing that is zero', () => {
    expect(describeTotals({ largeObjects: 2, rows: 3_100_000, tables: 118, keys: 0, files: 1 }, 3)).toBe(
      '118 tables, 3,100,000 rows, 1 files',
    );
    expect(describeTotals({ largeObjects: 2 }, 3)).toBe('2 large objects');
    expect(describeTotals({ keys: 1_000, rows: 999_999 }, 3)).toBe('999,999 rows, 1,000 keys');
  });

  it('has an order of what says most, and leaves the others as they are', () => {
    const order = 'tables rows series samples silences keys queues messages files users settings other more'.split(' ');
    const totals = Object.fromEntries(['other', 'more', ...order.slice(0, 11).reverse()].map((name) => [name, 1]));
    expect(describeTotals(totals, 99)).toBe(order.map((name) => `1 ${name}`).join(', '));
  });
});
