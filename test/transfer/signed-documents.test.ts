import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { failure } from '../../model/failures.ts';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { canonicalBytes, signDocument } from '../../transfer/keys.ts';
import { openDocument, readDocuments } from '../../transfer/signed-documents.ts';
import type { Store } from '../../transfer/store.ts';
import { memoryStore } from '../models/memory-store.ts';
import { testKit } from './test-points.ts';

const Note = z.strictObject({ text: z.string() });
let kit: RecoveryKit;
let stranger: RecoveryKit;
let store: Store;

beforeAll(async () => {
  kit = await testKit();
  stranger = await testKit();
});

beforeEach(() => {
  store = memoryStore({ objects: new Map(), now: () => new Date() });
});

const signed = (document: unknown, by = kit): Buffer => canonicalBytes(signDocument(by, document));
const reading = () => ({ trustedKeys: [kit.signing.publicKey], schema: Note });
const open = (bytes: Buffer) => openDocument(bytes, { ...reading(), key: 'notes/1' });
const read = (from = store) => readDocuments({ ...reading(), store: from, prefix: 'notes/' });

describe('openDocument', () => {
  it('gives what a trusted key signed, and nothing else', () => {
    expect(open(signed({ text: 'x' }))).toEqual({ text: 'x' });
    expect(open(signed({ text: 'x' }, stranger))).toBeUndefined();
    expect(open(signed({ text: 1 }))).toBeUndefined();
    expect(open(Buffer.from('{'))).toBeUndefined();
    expect(open(Buffer.from(signed({ text: 'x' }).toString().replace('"x"', '"y"')))).toBeUndefined();
    expect(open(Buffer.from('null'))).toBeUndefined();
  });

  it('leaves a defect loud', () => {
    const schema = {
      safeParse: (): never => {
        throw new TypeError('a defect');
      },
    };
    expect(() => openDocument(signed({}), { ...reading(), schema, key: 'notes/1' })).toThrow('a defect');
  });
});

describe('readDocuments', () => {
  it('reads all under a prefix in their order, with those that do not count', async () => {
    for (const count of [0, 1, 16, 17, 40]) {
      const keys = Array.from({ length: count }, (_, at) => `notes/${String(at).padStart(2, '0')}`);
      for (const key of keys) await store.put(key, signed({ text: key }));
      await store.put('other/1', signed({ text: 'other' }));
      expect(await read()).toEqual(keys.map((key) => ({ key, document: { text: key } })));
    }
    await store.put('notes/05', Buffer.from('rubbish'));
    expect((await read())[5]).toEqual({ key: 'notes/05', document: undefined });
  });

  it('leaves out one that went meanwhile, and throws what else the store says', async () => {
    for (const key of ['notes/1', 'notes/2', 'notes/3']) await store.put(key, signed({ text: key }));
    const without = (error: Error): Store => ({
      ...store,
      get: (key) => (key === 'notes/2' ? Promise.reject(error) : store.get(key)),
    });
    const gone = without(failure('ObjectNotFound', { message: 'get notes/2: it is not there' }));
    expect((await read(gone)).map(({ key }) => key)).toEqual(['notes/1', 'notes/3']);
    for (const error of [failure('StoreDenied', { message: 'get: denied' }), new Error('a defect')])
      await expect(read(without(error))).rejects.toBe(error);
  });
});
