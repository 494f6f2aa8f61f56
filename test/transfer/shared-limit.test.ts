import { describe, expect, it } from 'vitest';
import { SharedLimit } from '../../transfer/shared-limit.ts';

describe('SharedLimit', () => {
  it('gives all to one, shares between some, and leaves each the least', () => {
    const limit = new SharedLimit(7, 2);
    expect(limit.share).toBe(7);
    const one = limit.enter();
    expect(limit.share).toBe(7);
    const two = limit.enter();
    expect(limit.share).toBe(3);
    const more = [1, 2, 3, 4].map(() => limit.enter());
    expect(limit.share).toBe(2);

    one();
    one();
    for (const leave of more) leave();
    expect(limit.share).toBe(7);
    two();
    expect(limit.share).toBe(7);
  });
});
