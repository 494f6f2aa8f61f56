import { describe, expect, it } from 'vitest';
import { Crc64 } from '../../../transfer/trailers/crc64.ts';
import { verdictOf } from './verdict-of.ts';

/** A snapshot without a key, of which the bytes before the checksum are given. */
function snapshot(before: string, checksum: 'fits' | 'none' = 'fits'): Buffer {
  const head = Buffer.from(before, 'latin1');
  const crc = new Crc64();
  crc.update(head);
  const tail = Buffer.alloc(8);
  if (checksum === 'fits') tail.writeBigUInt64LE(crc.value);
  return Buffer.concat([head, tail]);
}

const verdict = (bytes: Buffer, chunkBytes = 100) => verdictOf(bytes, { kind: 'rdb' }, chunkBytes);
const cut = (reason: string) => ({ end: 'cut', reason });

describe('rdb, part by part', () => {
  it('demands its magic and its version at the very beginning', () => {
    for (const chunkBytes of [1, 4, 9, 100]) {
      expect(verdict(snapshot('REDIS0011\xff'), chunkBytes)).toEqual({ end: 'whole' });
      for (const before of ['xREDIS001\xff', 'REDIS001x\xff', 'REDIS001\xff', 'redis0011\xff'])
        expect(verdict(snapshot(before), chunkBytes)).toEqual(cut('it does not begin as a Redis snapshot'));
    }
    expect(verdict(Buffer.from('REDIS'))).toEqual(cut('it does not begin as a Redis snapshot'));
  });

  it('demands the opcode of the end before the checksum', () => {
    expect(verdict(snapshot('REDIS0011\xfe'))).toEqual(cut('the EOF opcode of the Redis snapshot is missing'));
    expect(verdict(snapshot('REDIS0011\xff\x00'))).toEqual(cut('the EOF opcode of the Redis snapshot is missing'));
  });

  it('knows a checksum that is switched off from one that is wrong', () => {
    expect(verdict(snapshot('REDIS0011\xff', 'none'))).toMatchObject({ end: 'unknown' });
    const wrong = snapshot('REDIS0011\xff', 'none');
    wrong[wrong.byteLength - 1] = 1;
    expect(verdict(wrong)).toEqual(cut('the checksum of the Redis snapshot does not fit'));
  });
});
