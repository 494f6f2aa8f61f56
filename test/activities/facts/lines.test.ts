import { describe, expect, it } from 'vitest';
import { lineFacts } from '../../../activities/facts/lines.ts';

describe('lineFacts', () => {
  it('reads a path, a TAB or a space, and the rest as its value; whole numbers become numbers', () => {
    expect(
      lineFacts('shop/orders\t300\nmaxbytes 33554432\r\nflag\n\nnote two words\nbig 99999999999999999999\n'),
    ).toEqual({
      'shop/orders': 300,
      maxbytes: 33_554_432,
      flag: '',
      note: 'two words',
      big: '99999999999999999999',
    });
  });

  it('takes a line that is there twice once, and refuses two values of one path', () => {
    expect(lineFacts('a 1\na 1\n')).toEqual({ a: 1 });
    expect(() => lineFacts('a 1\na 2\n')).toThrow(expect.objectContaining({ code: 'PlanInvalid' }));
  });
});
