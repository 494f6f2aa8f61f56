import { describe, expect, it } from 'vitest';
import { setValue, typedValue, type Values } from '../../cli/set-values.ts';

function set(...given: string[]): Values {
  const values: Values = { image: { repository: 'db', tag: '1' }, args: 'none' };
  for (const each of given) setValue(values, each, typedValue);
  return values;
}

describe('setValue', () => {
  it('sets one value deep inside and keeps its neighbours', () => {
    expect(set('image.tag=2=beta')).toEqual({ image: { repository: 'db', tag: '2=beta' }, args: 'none' });
  });

  it('makes the maps that are missing, also over what is none', () => {
    expect(set('a.b.c=x', 'args.first=y')).toMatchObject({ a: { b: { c: 'x' } }, args: { first: 'y' } });
  });

  it.each(['image.tag', '=x', 'a..b=x', 'a.=x'])('refuses %s', (given) => {
    expect(() => set(given)).toThrow(/--set is path=value/);
  });
});

describe('typedValue', () => {
  it('takes for numbers what Helm takes for numbers, and versions for texts', () => {
    const read = ['true', 'false', 'null', '0', '17', '-3', '7.0', '007', '1e3', '', 'yes'].map(typedValue);

    expect(read).toEqual([true, false, null, 0, 17, -3, '7.0', '007', '1e3', '', 'yes']);
  });
});
