import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { layout } from '../../sandbox/layout.ts';
import { createBucket } from '../../sandbox/object-store.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { type Ground, openGround, openSandbox } from './ground.ts';
import { temporalClient } from './temporal-client.ts';

const namespace = 'e2e-replication-data';
const into = 'e2e-replication-elsewhere';
const redis = `${namespace}/redis`;

describe('a second store', () => {
  let ground: Ground;
  let bucket: string;
  let folder: string;
  let point: string;
  /** lifeboat.yaml of somebody who has the replica alone. */
  let config: string;

  beforeAll(async () => {
    const sandbox = await openSandbox();
    bucket = `e2e-replica-${String(Date.now())}`;
    await createBucket(sandbox, bucket);
    const { endpoint, region } = sandbox.s3;
    ground = await openGround('replication', {
      releases: [{ chart: 'redis', namespace, name: 'redis' }],
      overrides: { replica: { url: `s3://${bucket}/copy`, endpoint, region } },
    });
    await deleteNamespaces(ground.sandbox, [into]);
    folder = join(layout(ground.sandbox.directory).store, bucket, 'copy');
    const document = parse(await readFile(ground.setting.configPath, 'utf8')) as Record<string, unknown>;
    config = join(ground.setting.directory, 'replica.yaml');
    const { replica, ...others } = document;
    await writeFile(config, stringify({ ...others, store: replica }));
    await ground.startWorker();
    // A backup of the platform: with a platform point.
    const { result, stderr } = await ground.run(['backup']);
    expect(result.outcome, stderr).toBe('complete');
    point = result.releases[0]?.recoveryPoint ?? '';
  });

  afterAll(async () => {
    await ground.close();
    await deleteNamespaces(ground.sandbox, [into]);
  });

  it('is shown what it lacks, and gets it, read back', async () => {
    const plan = await ground.run(['replicate', '--dry-run']);
    expect(plan.result.plan?.lines).toEqual([
      expect.stringMatching(`^copy 1 points of ${redis}, .* to s3://${bucket}/copy$`),
    ]);

    const copied = await ground.run(['replicate']);

    expect(copied.result.outcome, copied.stderr).toBe('complete');
    expect(copied.exitCode).toBe(0);
    expect(copied.result.releases[0]).toMatchObject({ recoveryPoint: point, replication: { points: 1, damaged: [] } });
    const check = await ground.run(['store', 'check', '--replica']);
    expect(JSON.parse(check.stdout)).toMatchObject({ findings: [], releases: [{ points: 1, newest: point }] });
    const status = await ground.run(['status']);
    expect(JSON.parse(status.stdout)).toMatchObject({ releases: [{ replica: { point, behindSeconds: 0 } }] });
  });

  it('gets nothing twice', async () => {
    const again = await ground.run(['replicate']);
    expect(again.result.releases[0]?.replication).toMatchObject({ points: 0, objects: 0, bytes: 0, newest: point });
  });

  it('is a store of its own: verified and recovered from without the first one', async () => {
    const env = { LIFEBOAT_CONFIG: config };
    await ground.startWorker(env);
    const verified = await ground.run(['verify', '--all'], env);
    expect(verified.result.outcome, verified.stderr).toBe('complete');
    const recovered = await ground.run(['recover', redis, '--into', into, '--on-failure', 'abort'], env);
    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    expect(recovered.result.releases[0]?.facts.equal).toBe(true);
    await ground.startWorker();
  });

  it('is partial where a point is damaged at home, whose name it tells', async () => {
    const { result } = await ground.run(['backup', redis]);
    const second = result.releases[0]?.recoveryPoint ?? '';
    const home = join(layout(ground.sandbox.directory).store, new URL(ground.setting.kit.store.url).hostname, 'dr');
    await rm(join(home, 'points', 'sandbox', redis, second, 'RESTORE.md'));

    const copied = await ground.run(['replicate']);

    expect(copied.exitCode).toBe(3);
    expect(copied.result).toMatchObject({
      outcome: 'partial',
      releases: [{ outcome: 'partial', recoveryPoint: point }],
    });
    expect(copied.result.releases[0]?.failure?.message).toContain(second);
    const client = await temporalClient(ground);
    const handle = await client.workflow.start('replicateRecoveryPoints', {
      taskQueue: 'lifeboat',
      workflowId: `replicate-other-${String(Date.now())}`,
      args: [{ configDigest: 'another' }],
    });
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'ConfigDiffers' } });
    await client.connection.close();
  });

  it('is refused where it is another store than was copied to before', async () => {
    await writeFile(join(folder, 'manifests', 'sandbox', redis, '0000000009.json'), '{}');
    const { exitCode, result } = await ground.run(['replicate']);
    expect(exitCode).toBe(1);
    expect(result.releases[0]?.failure).toMatchObject({ code: 'ChainBroken' });
  });
});
