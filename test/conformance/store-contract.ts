import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { assertConditional } from '../../activities/open-store.ts';
import type { Store } from '../../transfer/store.ts';
import type { TestStores } from './test-stores.ts';

const mib = 1024 * 1024;

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function keysOf(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

async function writeObject(store: Store, key: string, bytes: Uint8Array, step: number): Promise<number> {
  const writer = store.openWriter(key);
  for (let offset = 0; offset < bytes.byteLength; offset += step)
    await writer.write(bytes.subarray(offset, offset + step));
  return (await writer.commit()).sizeBytes;
}

/** What every store does, whatever it is. */
export function describeStore(stores: TestStores): void {
  describe.skipIf(stores.skipped !== undefined)(`store: ${stores.name}`, () => {
    let store: Store;

    beforeEach(async () => {
      store = await stores.open();
    });

    afterAll(() => stores.stop());

    it('gives back the bytes of an object, and of a range of it', async () => {
      const bytes = randomBytes(100_000);
      await store.put('a/b/c.json', bytes);
      expect((await store.get('a/b/c.json')).equals(bytes)).toBe(true);
      expect((await bytesOf(store.read('a/b/c.json'))).equals(bytes)).toBe(true);
      expect(
        (await bytesOf(store.read('a/b/c.json', { offset: 1_000, length: 5_000 }))).equals(
          bytes.subarray(1_000, 6_000),
        ),
      ).toBe(true);
      expect(
        (await bytesOf(store.read('a/b/c.json', { offset: 99_000, length: 5_000 }))).equals(bytes.subarray(99_000)),
      ).toBe(true);
      expect((await bytesOf(store.read('a/b/c.json', { offset: 200_000, length: 10 }))).byteLength).toBe(0);
      expect(await store.head('a/b/c.json')).toMatchObject({ key: 'a/b/c.json', sizeBytes: 100_000 });
    });

    it('replaces an object that is put again, and keeps an empty one', async () => {
      await store.put('key', Buffer.from('one'));
      await store.put('key', Buffer.alloc(0));
      expect((await store.get('key')).byteLength).toBe(0);
      expect(await store.head('key')).toMatchObject({ sizeBytes: 0 });
    });

    it('refuses a conditional put of an object that exists, unless the bytes are the same', async () => {
      await store.put('chain/1.json', Buffer.from('mine'), { ifAbsent: true });
      await store.put('chain/1.json', Buffer.from('mine'), { ifAbsent: true });
      await expect(store.put('chain/1.json', Buffer.from('yours'), { ifAbsent: true })).rejects.toMatchObject({
        code: 'ObjectExists',
      });
      expect((await store.get('chain/1.json')).toString()).toBe('mine');
    });

    it('lets exactly one of twelve racing writers win', async () => {
      for (let round = 0; round < 5; round += 1) {
        const contents = Array.from({ length: 12 }, () => randomBytes(64));
        const results = await Promise.allSettled(
          contents.map((bytes) => store.put(`race/${String(round)}`, bytes, { ifAbsent: true })),
        );
        const winners = contents.filter((_, index) => results[index]?.status === 'fulfilled');
        expect(winners).toHaveLength(1);
        expect(winners[0]?.equals(await store.get(`race/${String(round)}`))).toBe(true);
      }
      expect(await store.listOpenUploads('')).toEqual([]);
    });

    it.each([0, 1, 1_000, 8 * mib, 8 * mib + 1, 21 * mib])(
      'writes an object of %i bytes piece by piece, visible once it is committed',
      async (size) => {
        const bytes = randomBytes(size);
        const writer = store.openWriter('points/x/0001.zst.age');
        for (let offset = 0; offset < size; offset += 700_001)
          await writer.write(bytes.subarray(offset, offset + 700_001));
        expect(await store.head('points/x/0001.zst.age')).toBeUndefined();
        expect(await writer.commit()).toEqual({ sizeBytes: size });
        expect((await bytesOf(store.read('points/x/0001.zst.age'))).equals(bytes)).toBe(true);
        expect(await store.listOpenUploads('')).toEqual([]);
      },
    );

    it('keeps nothing of an object that is aborted, and leaves the one that stood there', async () => {
      await store.put('points/x', Buffer.from('old'));
      const writer = store.openWriter('points/x');
      await writer.write(randomBytes(20 * mib));
      expect(await store.listOpenUploads('points/')).toEqual(['points/x']);
      expect(await store.listOpenUploads('other/')).toEqual([]);
      await writer.abort();
      await writer.abort();
      expect(await store.listOpenUploads('')).toEqual([]);
      expect(await keysOf(store, '')).toEqual(['points/x']);
      expect((await store.get('points/x')).toString()).toBe('old');
    });

    it('takes back what a writer that died has left', async () => {
      const dead = store.openWriter('points/dead');
      await dead.write(randomBytes(20 * mib));
      await store.abortOpenUploads('points/other');
      expect(await store.listOpenUploads('points/')).toEqual(['points/dead']);
      // This one is not quite dead: its parts may land later than any wait.
      const takenBack = async (): Promise<string[]> => {
        await store.abortOpenUploads('points/');
        return [...(await store.listOpenUploads('points/'))];
      };
      await expect.poll(takenBack, { timeout: 20_000 }).toEqual([]);
      await dead.abort();
    });

    it('lists what begins with a prefix, in the order of the keys', async () => {
      const keys = ['a-b/1', 'a/1', 'a/10', 'a/2', 'a/b/c', 'a.b', 'ab', 'b', 'B', 'ä/1'];
      for (const key of keys) await store.put(key, Buffer.from(key));
      expect(await keysOf(store, '')).toEqual(
        [...keys].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
      );
      expect(await keysOf(store, 'a/')).toEqual(['a/1', 'a/10', 'a/2', 'a/b/c']);
      expect(await keysOf(store, 'a/1')).toEqual(['a/1', 'a/10']);
      expect(await keysOf(store, 'none/')).toEqual([]);
    });

    it.skipIf(stores.name === 'filesystem')(
      'lists more objects than a page holds',
      async () => {
        const keys = Array.from({ length: 1_005 }, (_, index) => `many/${String(index).padStart(5, '0')}`);
        for (let from = 0; from < keys.length; from += 50)
          await Promise.all(keys.slice(from, from + 50).map((key) => store.put(key, Buffer.from('x'))));
        expect(await keysOf(store, 'many/')).toEqual(keys);
      },
      60_000,
    );

    it.each([
      "it's",
      'two words',
      'a%2Fb',
      'a%20b',
      '$(id)',
      '`id`;&|<>*?"',
      'a+b=c,d@e',
      'größe-日本-🚢',
      '--option',
      '~',
      'x'.repeat(240),
    ])('keeps an object named %s', async (name) => {
      const key = `odd/${name}/1`;
      await store.put(key, Buffer.from(name), { ifAbsent: true });
      await writeObject(store, `odd/${name}/2`, Buffer.from(name), 3);
      expect((await store.get(key)).toString()).toBe(name);
      expect(await keysOf(store, 'odd/')).toEqual([key, `odd/${name}/2`]);
      await store.delete(key);
      await store.delete(`odd/${name}/2`);
      expect(await keysOf(store, '')).toEqual([]);
    });

    it.each([
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '..',
      'a/../b',
      '../../etc/passwd',
      './a',
      '.uploads/x',
      'a/.hidden',
      'a\0b',
      'a\nb',
      'x'.repeat(300),
      '\ud800',
    ])('refuses the name %j', async (key) => {
      await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject({ code: 'InputInvalid' });
      await expect(store.get(key)).rejects.toMatchObject({ code: 'InputInvalid' });
      await expect(store.delete(key)).rejects.toMatchObject({ code: 'InputInvalid' });
    });

    it('says that an object is not there', async () => {
      await store.put('folder/object', Buffer.from('x'));
      for (const key of ['none', 'folder', 'folder/none']) {
        await expect(store.get(key)).rejects.toMatchObject({ code: 'ObjectNotFound', subject: key });
        await expect(bytesOf(store.read(key))).rejects.toMatchObject({ code: 'ObjectNotFound' });
        expect(await store.head(key)).toBeUndefined();
        await store.delete(key);
      }
      expect(await keysOf(store, '')).toEqual(['folder/object']);
    });

    it('passes the probe and keeps nothing of it', async () => {
      const probe = await assertConditional(store);
      expect(probe).toMatchObject({
        address: store.address,
        conditionalPut: true,
        checksums: stores.checksums,
      });
      expect(await keysOf(store, '')).toEqual([]);
    });
  });
}
