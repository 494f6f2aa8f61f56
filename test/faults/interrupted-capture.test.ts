import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startWorkerProcess, type WorkerProcess } from '../../demo/command.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../conformance/fault-proxy.ts';
import { openSandbox } from '../e2e/ground.ts';
import { type FaultsGround, openFaultsGround } from './faults-ground.ts';

/** As a worker has it before what it does is cancelled. */
const graceMs = 5_000;

/** 160 MB of text that packs to about half: more than a worker keeps of a dump whose store does not answer. */
const manyBytes = `CREATE TABLE many_bytes AS SELECT g, (SELECT string_agg(md5((g * 1000 + i)::text), '') FROM generate_series(1, 1000) i) AS text
FROM generate_series(1, 5000) g`;

describe('a capture that is interrupted', () => {
  let proxy: FaultProxy;
  let ground: FaultsGround;
  let decide: (line: string) => Fault | undefined = () => undefined;
  let points = 0;

  beforeAll(async () => {
    const sandbox = await openSandbox();
    proxy = await startFaultProxy(sandbox.s3.endpoint, (line) => decide(line));
    const bucket = `faults-interrupted-${String(Date.now())}`;
    ground = await openFaultsGround('interrupted', {
      bucket,
      overrides: { store: { url: `s3://${bucket}/dr`, endpoint: proxy.endpoint, region: sandbox.s3.region } },
    });
    await ground.psql(manyBytes);
  });

  afterEach(() => {
    decide = () => undefined;
  });

  afterAll(async () => {
    await ground.close();
    await proxy.stop();
  });

  it('by the end of its worker takes its upload and its dump back in time, and the next worker makes the point', async () => {
    const before = await ground.state();
    const worker = await ground.startWorker();
    const workflowId = await backUpUntilHeldUp();
    expect(await ground.store.listOpenUploads('')).toHaveLength(1);
    expect((await ground.state()).postgresql).toContain('pg_dump is left');

    const since = Date.now();
    await worker.stop('SIGTERM');

    expect(Date.now() - since).toBeLessThan(graceMs + 5_000);
    expect(await ofTheDump()).toEqual([]);
    expect((await ground.state()).postgresql).toEqual(before.postgresql);
    decide = () => undefined;
    await ground.startWorker();
    await expectPoint(workflowId);
  });

  it('because its worker stands still is made again by another one, of which the first takes nothing away', async () => {
    const still = await ground.startWorker();
    const workflowId = await backUpUntilHeldUp();
    process.kill(still.pid, 'SIGSTOP');
    decide = () => undefined;
    let other: WorkerProcess | undefined;
    try {
      other = await startWorkerProcess(ground.setting);
      const point = await expectPoint(workflowId);
      const stored = await ground.storedKeys();

      process.kill(still.pid, 'SIGCONT');
      // It ends what it was at before it ends.
      await still.stop('SIGTERM');

      expect(await ground.storedKeys()).toEqual(stored.filter((key) => !key.startsWith('open upload')));
      const verified = await ground.run(['verify', point]);
      expect(verified.exitCode, verified.stderr).toBe(0);
    } finally {
      process.kill(still.pid, 'SIGCONT');
      await other?.stop();
    }
  });

  it('because its pod is deleted is made again in the next one', async () => {
    await ground.startWorker();
    const workflowId = await backUpUntilHeldUp();
    const uid = ['get', 'pod', 'postgresql-0', '-n', ground.namespace, '-o', 'jsonpath={.metadata.uid}'];
    const before = await ground.kubectl(uid);
    await ground.kubectl(['delete', 'pod', 'postgresql-0', '-n', ground.namespace, '--grace-period=1']);
    decide = () => undefined;

    await expectPoint(workflowId);

    expect(await ground.kubectl(uid)).not.toBe(before);
  });

  /** Begins a backup and waits until the store keeps the parts of its dump without an answer. */
  async function backUpUntilHeldUp(): Promise<string> {
    let heldUp = 0;
    decide = (line) => {
      if (!/^PUT .*database-shop.*partNumber=/.test(line)) return undefined;
      heldUp += 1;
      return { kind: 'silence' };
    };
    const started = await ground.run(['backup', ground.names.postgresql, '--no-wait']);
    expect(started.exitCode, started.stderr).toBe(0);
    await expect.poll(() => heldUp, { timeout: 60_000, interval: 100 }).toBeGreaterThan(3);
    return started.result.workflowId;
  }

  /** Waits for the run, which has added one manifest. @returns the id of its point */
  async function expectPoint(workflowId: string): Promise<string> {
    const ended = await ground.run(['watch', workflowId]);
    expect(ended.result.outcome, ended.stderr).toBe('complete');
    expect(ended.exitCode).toBe(0);
    const point = ended.result.releases[0]?.recoveryPoint ?? '';
    points += 1;
    expect((await ground.storedKeys()).filter((key) => key.startsWith('manifests/'))).toHaveLength(points);
    return point;
  }

  /** Objects and open uploads of dumps of the shop that no manifest names yet. */
  async function ofTheDump(): Promise<string[]> {
    return (await ground.storedKeys()).filter((key) => key.includes('database-shop'));
  }
});
