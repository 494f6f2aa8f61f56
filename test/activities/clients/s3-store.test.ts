import { afterEach, describe, expect, it } from 'vitest';
import { openStore } from '../../../activities/open-store.ts';
import { freePort } from '../../../workers/free-port.ts';
import { type FaultProxy, startFaultProxy } from '../../conformance/fault-proxy.ts';
import { describeS3Faults } from '../../conformance/s3-faults.ts';
import { s3Stores } from '../../conformance/test-stores.ts';

const anyKey = { accessKeyId: 'a', secretAccessKey: 'b' };
let proxy: FaultProxy | undefined;

afterEach(async () => {
  await proxy?.stop();
  proxy = undefined;
});

describe('openStore', () => {
  it('says within seconds that nobody listens', async () => {
    const endpoint = `http://127.0.0.1:${String(await freePort())}`;
    await expect(openStore({ url: 's3://bucket', endpoint, region: 'us-east-1' }, anyKey)).rejects.toMatchObject({
      code: 'StoreUnreachable',
      retryable: true,
    });
  });

  it('says within ten seconds that nobody answers', async () => {
    proxy = await startFaultProxy('http://127.0.0.1:9', () => ({ kind: 'silence' }));
    const since = Date.now();
    await expect(
      openStore({ url: 's3://bucket', endpoint: proxy.endpoint, region: 'us-east-1' }, anyKey),
    ).rejects.toMatchObject({ code: 'StoreUnreachable' });
    expect(Date.now() - since).toBeLessThan(10_000);
  }, 15_000);

  it('says that a directory is missing, and does not make it', async () => {
    await expect(openStore({ url: 'file:///tmp/lifeboat-none/such', region: 'us-east-1' })).rejects.toMatchObject({
      code: 'StoreNotFound',
    });
  });
});

describeS3Faults(await s3Stores());
