import { describe, expect, it } from 'vitest';
import { verdictOf } from './verdict-of.ts';

const limit = 64 * 1024 * 1024;
const spaces = (bytes: number): Buffer => Buffer.concat([Buffer.alloc(bytes - 1, ' '), Buffer.from('1')]);

describe('json', () => {
  it('keeps the bytes of a chunk whose buffer is used again', () => {
    expect(verdictOf(Buffer.from('{"users":["alice","bob"]}'), { kind: 'json' }, 4)).toEqual({ end: 'whole' });
    expect(verdictOf(Buffer.from('{"users":["alice","bob"]'), { kind: 'json' }, 4)).toEqual({
      end: 'cut',
      reason: 'it is not one whole JSON text',
    });
  });

  it('takes no bytes that are not UTF-8', () => {
    expect(verdictOf(Buffer.from([0x22, 0xff, 0x22]), { kind: 'json' })).toMatchObject({ end: 'cut' });
  });

  it('says nothing of what is too large to be parsed', () => {
    expect(verdictOf(spaces(limit), { kind: 'json' }, limit / 4)).toEqual({ end: 'whole' });
    expect(verdictOf(spaces(limit + 1), { kind: 'json' }, limit / 4)).toEqual({
      end: 'unknown',
      reason: 'JSON of more than 67108864 bytes is not parsed',
    });
  });
});
