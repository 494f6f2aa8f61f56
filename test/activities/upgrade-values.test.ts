import { describe, expect, it } from 'vitest';
import { mergeValues, parseValues } from '../../activities/upgrade-values.ts';

describe('mergeValues', () => {
  it('merges maps, and replaces anything else, as Helm does', () => {
    const below = { image: { repository: 'db', tag: '1' }, args: ['a', 'b'], limits: { memory: '1Gi' } };

    const merged = mergeValues(below, { image: { tag: '2' }, args: ['c'], limits: null, more: { deep: true } });

    expect(merged).toEqual({ image: { repository: 'db', tag: '2' }, args: ['c'], limits: null, more: { deep: true } });
    expect(below.image.tag).toBe('1');
  });
});

describe('parseValues', () => {
  it('takes what Helm prints of a release without values', () => {
    expect(parseValues('null')).toEqual({});
  });
});
