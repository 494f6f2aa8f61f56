import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { compareTarget } from '../../activities/compare-target.ts';
import type { RestoreContext } from '../../activities/methods/method.ts';
import { methods } from '../../activities/methods/registry.ts';
import type { Facts } from '../../model/facts.ts';
import type { CompareRule } from '../../model/recovery-plan.ts';

/** What a comparison looks at of the context of a restore. */
function context(method: string, capturedFacts: Facts, compare: readonly CompareRule[] = []): RestoreContext<unknown> {
  return {
    component: { name: 'cache', method },
    bound: { plan: { compare } },
    capturedFacts,
  } as unknown as RestoreContext<unknown>;
}

describe('compareTarget', () => {
  it('compares what was captured with what is there', async () => {
    const captured = { 'key/a/value': 'x', 'key/b/value': 'y' };
    expect(await compareTarget(context('redis-rdb', captured), { ...captured })).toEqual({
      equal: true,
      compared: 2,
      differences: [],
      differenceCount: 0,
      exceptions: [],
    });
    expect(await compareTarget(context('redis-rdb', captured), { 'key/a/value': 'x' })).toMatchObject({
      equal: false,
      differences: [{ path: 'key/b/value', before: 'y', after: null }],
    });
  });

  it('reads the facts of the target where they were not read', async () => {
    const known = methods.get('redis-rdb');
    if (known === undefined) throw new Error('there is no redis-rdb');
    const asked = context('redis-rdb', { 'key/a/value': 'x' });
    const readFacts = vi.spyOn(known, 'readFacts').mockResolvedValue({ 'key/a/value': 'y' });
    onTestFinished(() => {
      readFacts.mockRestore();
    });
    expect((await compareTarget(asked)).differences).toEqual([{ path: 'key/a/value', before: 'x', after: 'y' }]);
    expect(readFacts).toHaveBeenCalledExactlyOnceWith(asked);
    expect((await compareTarget(asked, { 'key/a/value': 'x' })).equal).toBe(true);
    expect(readFacts).toHaveBeenCalledTimes(1);
  });

  it('goes by the rules of its own component', async () => {
    const rules: CompareRule[] = [
      { facts: 'other/key/**', as: 'equalExcept', reason: 'of another component', bound: 9 },
      { facts: 'cache/count', as: 'atLeast' },
    ];
    const captured = { count: 1, 'key/a/value': 'x' };
    expect((await compareTarget(context('redis-rdb', captured, rules), { ...captured, count: 2 })).equal).toBe(true);
    expect(
      (await compareTarget(context('redis-rdb', captured, rules), { ...captured, 'key/a/value': 'y' })).equal,
    ).toBe(false);
  });

  it('expects no key whose time has passed, counts it as an exception, and expects every other one', async () => {
    const fact = (end: number): string => `string abc ${String(end)}`;
    const gone = { 'db/0/key/old': fact(Date.now() - 60_000), 'db/1/key/old': fact(Date.now() - 1) };
    const left = { 'db/0/key/new': fact(Date.now() + 3_600_000), 'db/0/key/stays': 'string abc -' };
    const compared = await compareTarget(context('redis-rdb', { ...gone, ...left }), { ...left });
    expect(compared).toMatchObject({ equal: true, compared: 2 });
    expect(compared.exceptions).toEqual([
      { facts: 'cache/**', reason: 'keys whose time to live has passed', count: 2, bound: 2 },
    ]);
    expect(await compareTarget(context('redis-rdb', { ...gone, ...left }), {})).toMatchObject({
      equal: false,
      differenceCount: 2,
    });
  });

  it('knows no fact to expire where the method says nothing of it', async () => {
    const captured = { 'db/0/key/old': 'string abc 1' };
    expect((await compareTarget(context('volume-archive', captured), {})).differenceCount).toBe(1);
  });
});
