import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { assertConditional, openStore } from '../../activities/open-store.ts';
import type { Store } from '../../transfer/store.ts';
import { bytesOf, contentsOf } from '../transfer/test-sources.ts';
import { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import type { TestStores } from './test-stores.ts';

const mib = 1024 * 1024;

/** What holds on every S3 server, whatever happens to requests on their way to it and to its answers on their way back. */
export function describeS3Faults(stores: TestStores): void {
  let proxy: FaultProxy | undefined;

  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
  });

  afterAll(() => stores.stop());

  /** A store on a new bucket, reached through a proxy that makes one fault of the given requests, `times` times. */
  async function faulty(matches: RegExp, fault: Fault, times = 1): Promise<Store> {
    const config = await stores.config();
    let left = times;
    proxy = await startFaultProxy(config.endpoint ?? '', (line) => {
      if (left === 0 || !matches.test(line)) return undefined;
      left -= 1;
      return fault;
    });
    return openStore({ ...config, endpoint: proxy.endpoint }, stores.credentials);
  }

  describe.skipIf(stores.skipped !== undefined)(`opening a store: ${stores.name}`, () => {
    it('tells a missing bucket from a wrong key', async () => {
      const config = await stores.config();
      await expect(openStore({ ...config, url: 's3://no-such-bucket-here' }, stores.credentials)).rejects.toMatchObject(
        {
          code: 'StoreNotFound',
        },
      );
      await expect(openStore(config, { accessKeyId: 'nobody', secretAccessKey: 'x' })).rejects.toMatchObject({
        code: 'StoreDenied',
      });
    });
  });

  describe.skipIf(stores.skipped !== undefined)(`a store under faults: ${stores.name}`, () => {
    const slowDown: Fault = {
      kind: 'answer',
      status: 503,
      body: '<Error><Code>SlowDown</Code><Message>slow</Message></Error>',
    };
    const bytes = randomBytes(17 * mib);

    async function write(store: Store): Promise<void> {
      const writer = store.openWriter('points/x');
      try {
        for (let offset = 0; offset < bytes.byteLength; offset += mib)
          await writer.write(bytes.subarray(offset, offset + mib));
        await writer.commit();
      } catch (error) {
        await writer.abort();
        throw error;
      }
    }

    it.each([
      ['the server is busy for a while', /partNumber=2/, slowDown, 2],
      ['the answer to a part is lost', /partNumber=1&/, { kind: 'lose-answer' }, 1],
      ['the answer to the completion is lost', /POST .*uploadId=/, { kind: 'lose-answer' }, 1],
      ['the answer to the completion is lost twice', /POST .*uploadId=/, { kind: 'lose-answer' }, 2],
    ] as const)('writes the object all the same: %s', async (_, matches, fault, times) => {
      const store = await faulty(matches, fault, times);
      await write(store);
      expect(await contentsOf(store)).toEqual(['points/x']);
      expect((await bytesOf(store.read('points/x'))).equals(bytes)).toBe(true);
    });

    it.each([
      [
        'a part is acknowledged and dropped',
        /partNumber=2/,
        { kind: 'answer', status: 200, headers: { etag: '"0123456789abcdef0123456789abcdef"' } },
        1,
        'StoreUnreachable',
        'InvalidPart',
      ],
      // Where the server compares nothing, the read-back before the manifest does.
      ...(stores.checksums
        ? ([['a bit flips on the way', /partNumber=2/, { kind: 'flip-bit' }, 1, 'StoreUnreachable', '']] as const)
        : []),
      ['the server stays busy', /partNumber=2/, slowDown, 100, 'StoreUnreachable', 'SlowDown'],
      [
        'the completion answers 200 with an error',
        /POST .*uploadId=/,
        { kind: 'answer', status: 200, body: '<Error><Code>InternalError</Code><Message>no</Message></Error>' },
        100,
        'StoreUnreachable',
        'InternalError',
      ],
      [
        'the bucket is full',
        /partNumber=2/,
        { kind: 'answer', status: 507, body: '<Error><Code>QuotaExceeded</Code></Error>' },
        1,
        'StoreFull',
        '',
      ],
      [
        'the rights are taken away',
        /POST .*uploadId=/,
        { kind: 'answer', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' },
        1,
        'StoreDenied',
        '',
      ],
    ] as const)(
      'fails and leaves nothing: %s',
      async (_, matches, fault, times, code, message) => {
        const store = await faulty(matches, fault, times);
        await expect(write(store)).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
        expect(await contentsOf(store)).toEqual([]);
      },
      20_000,
    );

    it('takes a conditional put whose answer was lost as its own', async () => {
      const store = await faulty(/PUT .*manifests/, { kind: 'lose-answer' });
      await store.put('manifests/1.json', Buffer.from('mine'), { ifAbsent: true });
      expect(proxy?.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(2);
      await expect(store.put('manifests/1.json', Buffer.from('yours'), { ifAbsent: true })).rejects.toMatchObject({
        code: 'ObjectExists',
      });
    });

    it('tries a conditional put again after a conflict', async () => {
      const store = await faulty(
        /PUT .*manifests/,
        { kind: 'answer', status: 409, body: '<Error><Code>ConditionalRequestConflict</Code></Error>' },
        2,
      );
      await store.put('manifests/1.json', Buffer.from('mine'), { ifAbsent: true });
      expect((await store.get('manifests/1.json')).toString()).toBe('mine');
    });

    it('refuses a server that does not know the condition, or ignores it', async () => {
      const store = await faulty(
        /PUT .*probe/,
        { kind: 'answer', status: 501, body: '<Error><Code>NotImplemented</Code></Error>' },
        100,
      );
      await expect(assertConditional(store)).rejects.toMatchObject({ code: 'StoreNotConditional' });
      await proxy?.stop();
      const ignores = await faulty(/PUT .*probe/, { kind: 'answer', status: 200 }, 100);
      await expect(assertConditional(ignores)).rejects.toMatchObject({ code: 'StoreNotConditional' });
    });

    it('takes a broken read up again where it broke', async () => {
      const store = await faulty(/GET .*points/, { kind: 'break-answer', afterBytes: 3 * mib }, 3);
      await write(store);
      const read = await bytesOf(store.read('points/x', { offset: 5, length: 16 * mib }));
      expect(read.equals(bytes.subarray(5, 16 * mib + 5))).toBe(true);
      expect(proxy?.requests.filter((line) => line.startsWith('GET') && line.includes('points/x'))).toHaveLength(4);
    });
  });
}
