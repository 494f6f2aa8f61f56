import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FailureCode } from '../../model/failures.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../conformance/fault-proxy.ts';
import { openSandbox } from '../e2e/ground.ts';
import { cutTheEnd, flipOneBit, removeManifest } from './damage.ts';
import { approved, expectAsItWas, expectFailedRun, expectFailure } from './expect-failure.ts';
import { type FaultsGround, openFaultsGround } from './faults-ground.ts';

const refuses = (status: number, code: string): Fault => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>the test says so</Message></Error>`,
});

type StatusRow = { release: string; point: string; goodPoint: string | null; proof: string; rpoMet: boolean };

describe('a store that fails', () => {
  let proxy: FaultProxy;
  let ground: FaultsGround;
  let decide: (line: string) => Fault | undefined = () => undefined;

  beforeAll(async () => {
    const sandbox = await openSandbox();
    proxy = await startFaultProxy(sandbox.s3.endpoint, (line) => decide(line));
    const bucket = `faults-store-${String(Date.now())}`;
    ground = await openFaultsGround('store', {
      bucket,
      overrides: { store: { url: `s3://${bucket}/dr`, endpoint: proxy.endpoint, region: sandbox.s3.region } },
    });
  });

  afterEach(() => {
    decide = () => undefined;
  });

  afterAll(async () => {
    await ground.close();
    await proxy.stop();
  });

  async function backUp(release: string): Promise<string> {
    const { result, exitCode, stderr } = await ground.run(['backup', release]);
    expect(exitCode, stderr).toBe(0);
    return result.releases[0]?.recoveryPoint ?? '';
  }

  it.each<{ what: string; at: RegExp; fault: Fault; code: FailureCode; outcome: 'failed' | 'refused' }>([
    { what: 'everything', at: /^PUT /, fault: refuses(403, 'AccessDenied'), code: 'StoreDenied', outcome: 'refused' },
    {
      what: 'the dump of a database',
      at: /^PUT .*\/databases\.database-shop\//,
      fault: refuses(403, 'AccessDenied'),
      code: 'StoreDenied',
      outcome: 'failed',
    },
    {
      what: 'the dump of a database because it is full',
      at: /^PUT .*\/databases\.database-shop\//,
      fault: refuses(507, 'XMinioStorageFull'),
      code: 'StoreFull',
      outcome: 'failed',
    },
    {
      what: 'the manifest',
      at: /^PUT .*\/manifests\//,
      fault: refuses(403, 'AccessDenied'),
      code: 'StoreDenied',
      outcome: 'failed',
    },
  ])('that refuses $what makes a backup $outcome: $code', async ({ at, fault, code, outcome }) => {
    decide = (line) => (at.test(line) ? fault : undefined);

    await expectFailure(ground, ['backup', ground.names.postgresql], {
      outcome,
      code,
      message: /the test says so/,
      compensation: outcome === 'refused' ? 'none' : 'done',
    });
  });

  it('that refuses the manifest and every delete leaves objects, and the run says which point they are of', async () => {
    const before = await ground.storedKeys();
    decide = (line) => (/^(DELETE |PUT .*\/manifests\/)/.test(line) ? refuses(403, 'AccessDenied') : undefined);

    const { result } = await expectFailedRun(ground, ['backup', ground.names.redis], {
      outcome: 'failed',
      code: 'StoreDenied',
      message: /the test says so/,
      compensation: 'incomplete',
    });

    const left = (await ground.storedKeys()).filter((key) => !before.includes(key));
    expect(left).not.toEqual([]);
    const point = left[0]?.split('/')[4] ?? '';
    expect(result.releases[0]?.leftBehind.join()).toContain(point);
    for (const key of left) await ground.store.delete(key);
  });

  it.each([
    {
      what: 'one flipped bit',
      damage: flipOneBit,
      code: 'ArtifactDigestMismatch' as const,
      message: /is not what was written, first noticed at frame [0-9]+/,
    },
    { what: 'a cut end', damage: cutTheEnd, code: 'ArtifactTruncated' as const, message: /has [0-9]+ of [0-9]+ bytes/ },
  ])(
    'with $what in an object refuses the recovery and fails the verification: $code',
    async ({ damage, code, message }) => {
      const point = await backUp(ground.names.redis);
      const key = await damage(ground, ground.names.redis, point);
      const before = await ground.state();

      const recovered = await expectFailedRun(ground, ['recover', ground.names.redis, '--data', ...approved], {
        outcome: 'refused',
        code,
        message,
        compensation: 'none',
      });
      expect(recovered.result.failure?.message).toContain(key);
      await expectFailedRun(ground, ['verify', point], { outcome: 'failed', code, message });
      await expectFailedRun(ground, ['recover', ground.names.redis, '--data', '--point', point, ...approved], {
        outcome: 'refused',
        code,
        message,
      });

      await expectAsItWas(ground, before);
      const { stdout } = await ground.run(['points', ground.names.redis]);
      expect(stdout).toContain(code);
      // The damaged point is the newest one, and not what the objective is measured by.
      const status = JSON.parse((await ground.run(['status'])).stdout) as { releases: StatusRow[] };
      const row = status.releases.find((each) => each.release === ground.names.redis);
      expect(row).toMatchObject({ point, proof: expect.stringContaining(`damaged (${code})`) as string });
      expect(row?.goodPoint).not.toBe(point);
      if (row?.goodPoint === null) expect(row.rpoMet).toBe(false);
    },
  );

  it('without the manifest of a point refuses its recovery; the verification names the gap beside the good points', async () => {
    const point = await backUp(ground.names.redis);
    await backUp(ground.names.redis);
    const key = await removeManifest(ground, ground.names.redis, point);
    const before = await ground.state();

    await expectFailedRun(ground, ['recover', ground.names.redis, '--data', '--point', point, ...approved], {
      outcome: 'refused',
      code: 'ManifestMissing',
      message: new RegExp(point),
      compensation: 'none',
    });
    await expectFailedRun(ground, ['verify', '--release', ground.names.redis], {
      outcome: 'partial',
      code: 'ChainBroken',
      message: new RegExp(key),
    });

    await expectAsItWas(ground, before);
  });

  it('without its only manifest refuses the recovery and fails the verification', async () => {
    const { result } = await ground.run(['backup', ground.names.postgresql]);
    const point = result.releases[0]?.recoveryPoint ?? '';
    await removeManifest(ground, ground.names.postgresql, point);
    const before = await ground.state();

    await expectFailedRun(ground, ['recover', ground.names.postgresql, '--data', ...approved], {
      outcome: 'refused',
      code: 'ManifestMissing',
      message: new RegExp(point),
      compensation: 'none',
    });
    await expectFailedRun(ground, ['verify', '--release', ground.names.postgresql], {
      outcome: 'failed',
      code: 'ManifestMissing',
      message: new RegExp(point),
    });

    await expectAsItWas(ground, before);
  });
});
