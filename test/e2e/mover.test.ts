import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Manifest } from '../../model/recovery-point.ts';
import { OddFilesInPod } from '../activities/odd-files-in-pod.ts';
import { postgresState } from './as-it-was.ts';
import type { Ground } from './ground.ts';
import { MoverGround } from './mover-ground.ts';
import { temporalClient } from './temporal-client.ts';

const namespace = 'e2e-mover';
const postgresql = `${namespace}/postgresql`;
const wordpress = `${namespace}/wordpress`;

describe('a mover', () => {
  let movers: MoverGround;
  let ground: Ground;

  beforeAll(async () => {
    movers = await MoverGround.open('mover', 'postgresql');
    ({ ground } = movers);
    await ground.startWorker();
  });

  afterAll(() => movers.close());

  /** Facts and plaintext of a component's streams, as the manifest has them. */
  function contentOf(manifest: Manifest, component: string): object {
    const record = manifest.components.find((each) => each.component === component);
    return {
      factsDigest: record?.factsDigest,
      totals: record?.totals,
      streams: record?.artifacts.map(({ name }) => name),
    };
  }

  it('makes the same point as the API server’s way, and is taken by size', async () => {
    const releases = [postgresql, wordpress];
    const byExec = await ground.run(['backup', ...releases]);
    expect(byExec.result.outcome, byExec.stderr).toBe('complete');
    const before = { database: await movers.newest(postgresql), files: await movers.newest(wordpress) };
    expect([...movers.seen]).toEqual([]);

    const byMover = await ground.run(['backup', ...releases]);

    expect(byMover.result.outcome, byMover.stderr).toBe('complete');
    const after = { database: await movers.newest(postgresql), files: await movers.newest(wordpress) };
    expect(movers.seen.size).toBeGreaterThanOrEqual(2);
    expect(after.files.id).not.toBe(before.files.id);
    expect(contentOf(after.files, 'files')).toEqual(contentOf(before.files, 'files'));
    expect(contentOf(after.database, 'databases')).toEqual(contentOf(before.database, 'databases'));
    // What passed through the API server has the pod's own digest as a proof, what a mover took has not.
    const proofOf = (manifest: Manifest, name: string): boolean | undefined =>
      manifest.components.flatMap(({ artifacts }) => artifacts).find((artifact) => artifact.name === name)?.endProof
        .digest;
    expect(proofOf(before.files, 'files.tar')).toBe(true);
    expect(proofOf(after.files, 'files.tar')).toBe(false);
    expect(proofOf(before.database, 'databases.database-shop')).toBe(true);
    expect(proofOf(after.database, 'databases.database-shop')).toBe(false);
    expect(await movers.leftovers()).toEqual([]);
    expect(await movers.store.listOpenUploads('')).toEqual([]);
    expect((await movers.storedKeys()).filter((key) => /-facts\//.test(key))).toEqual([]);
  });

  it('tells no history of its credentials', async () => {
    const client = await temporalClient(ground);
    const secret = ground.setting.env['AWS_SECRET_ACCESS_KEY'] ?? '';
    let events = 0;
    for await (const { workflowId, runId } of client.workflow.list()) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const text = JSON.stringify(history, (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
      );
      expect(text).not.toContain(secret);
      events += history.events?.length ?? 0;
    }
    expect(events).toBeGreaterThan(50);
    await client.connection.close();
  });

  it('brings a database and a volume back, compared before anything is exchanged', async () => {
    const orders = (await postgresState(ground)).at(-1);
    await ground.kubectl([
      ...['exec', '-n', namespace, 'postgresql-0', '--', 'psql', '-U', 'postgres', '-d', 'shop', '-c'],
      'UPDATE sales.orders SET total = total + 1; CREATE TABLE intruder (n int)',
    ]);
    await ground.kubectl([
      ...['exec', '-n', namespace, (await movers.wordpressPod()).pod, '--', 'sh', '-c'],
      'rm -rf /var/www/html/wp-content/uploads; echo x >/var/www/html/intruder',
    ]);
    movers.seen.clear();

    const ran = await ground.run(['recover', postgresql, wordpress, '--yes', '--by', 'test', '--reason', 'damage']);
    expect(ran.result.outcome, ran.stderr).toBe('complete');
    expect(ran.result.releases.map(({ facts }) => facts.equal)).toEqual([true, true]);

    // One for the database, two for the volume: what is restored, and what is read again to be compared.
    expect(movers.seen.size).toBeGreaterThanOrEqual(3);
    expect((await postgresState(ground)).at(-1)).toBe(orders);
    expect(await movers.leftovers()).toEqual([]);
  });

  it('brings odd files back, with all that their owner can give them', { timeout: 3_600_000 }, async () => {
    const { tools, kubeconfig, context } = ground.sandbox;
    const access = { ...tools, kubeconfig, context };
    const odd = new OddFilesInPod({ access, pod: () => movers.wordpressPod(), directory: '/var/www/html/odd-files' });
    try {
      // A mover is taken by the size of the point before.
      if (!(await movers.hasPoint(wordpress))) await ground.run(['backup', wordpress]);
      await odd.put();
      movers.seen.clear();
      const backup = await ground.run(['backup', wordpress]);
      expect(backup.result.outcome, backup.stderr).toBe('complete');
      expect(movers.seen.size).toBeGreaterThanOrEqual(1);
      await odd.damage();

      const ran = await ground.run(['recover', wordpress, '--yes', '--by', 'test', '--reason', 'damage']);

      expect(ran.result.outcome, ran.stderr).toBe('complete');
      expect(movers.seen.size).toBeGreaterThanOrEqual(3);
      await odd.expectBack();
    } finally {
      await odd.remove();
    }
  });
});
