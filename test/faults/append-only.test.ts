import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultProxy, startFaultProxy } from '../conformance/fault-proxy.ts';
import { type Ground, openGround, openSandbox } from '../e2e/ground.ts';

/** What S3 says to credentials without s3:DeleteObject. */
const denied = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`;
const namespace = 'faults-append-only';
const none = { hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const redis = `${namespace}/redis`;

describe('a store that only lets objects be added', () => {
  let ground: Ground;
  let proxy: FaultProxy;
  let refused = 0;

  beforeAll(async () => {
    const { s3 } = await openSandbox();
    proxy = await startFaultProxy(s3.endpoint, (line) => {
      // An upload may be taken back: it never was an object.
      if (!line.startsWith('DELETE ') || line.includes('uploadId=')) return undefined;
      refused += 1;
      return { kind: 'answer', status: 403, headers: { 'content-type': 'application/xml' }, body: denied };
    });
    const bucket = `faults-append-only-${String(Date.now())}`;
    ground = await openGround('faults-append-only', {
      bucket,
      releases: [{ chart: 'redis', namespace, name: 'redis' }],
      overrides: {
        store: { url: `s3://${bucket}/dr`, endpoint: proxy.endpoint, region: s3.region },
        retention: { ...none, all: '1s', last: 1, others: '1s', grace: '1s', tiers: {} },
      },
    });
    await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
    await proxy.stop();
  });

  it('is backed up to, verified and recovered from', async () => {
    for (let times = 0; times < 2; times += 1) {
      const backup = await ground.run(['backup', redis]);
      expect(backup.result.outcome, backup.stderr).toBe('complete');
    }
    const verified = await ground.run(['verify', '--all']);
    expect(verified.exitCode, verified.stderr).toBe(0);
    const recovered = await ground.run(['recover', redis, '--yes', '--by', 'test', '--reason', 'append-only']);
    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    expect(refused).toBeGreaterThan(0);
  });

  it('is expired by nobody with these credentials: the holds of runs that are over stay until their time', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1_100));

    const expired = await ground.run(['expire']);

    expect(expired.result.outcome, expired.stderr).toBe('complete');
    expect(expired.result.releases[0]?.expiry).toMatchObject({ removed: [], expired: [] });
    expect((await ground.run(['store', 'check'])).exitCode).toBe(0);
    const { points } = JSON.parse((await ground.run(['points', redis])).stdout) as {
      points: { manifest: { id: string }; holds: { by: string }[] }[];
    };
    expect(points.length).toBeGreaterThanOrEqual(3);
    for (const { manifest, holds } of points) {
      expect(holds.length, manifest.id).toBeGreaterThan(0);
      expect((await ground.run(['verify', manifest.id])).exitCode).toBe(0);
    }
  });

  it('says so when it is asked', async () => {
    const specs = await ground.run(['store', 'specs']);

    expect(specs.exitCode).toBe(0);
    expect(JSON.parse(specs.stdout)).toMatchObject({
      specs: { conditionalPut: true, deletes: false, uploads: true },
      judged: expect.arrayContaining([
        { fits: true, said: expect.stringContaining('may not delete') as string },
      ]) as object[],
    });
  });
});
