import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startWorkerProcess, type WorkerProcess } from '../../demo/command.ts';
import { slowness } from '../slowness.ts';
import { type CaptureGround, openCaptureGround } from './capture-ground.ts';

/** As a worker has it before what it does is cancelled. */
const graceMs = 5_000;

describe('a capture whose worker', () => {
  let ground: CaptureGround;

  beforeAll(async () => {
    ground = await openCaptureGround('interrupted');
  });

  afterEach(() => {
    ground.letGo();
  });

  afterAll(async () => {
    await ground.close();
  });

  it('is told to stop takes its upload and its dump back in time, and the next worker makes the point', async () => {
    const before = await ground.ofTheDump();
    const worker = await ground.startWorker();
    const started = await ground.backUpUntilHeldUp();
    expect(await ground.store.listOpenUploads('')).toHaveLength(1);
    expect(await dumpers()).toBe('1');

    const since = Date.now();
    await worker.stop('SIGTERM');

    expect(Date.now() - since).toBeLessThan(graceMs + 5_000);
    expect(await ground.ofTheDump()).toEqual(before);
    await expect.poll(dumpers, { timeout: 30_000 * slowness, interval: 500 }).toBe('0');
    ground.letGo();
    await ground.startWorker();
    await ground.expectPoint(started);
  });

  it('is killed leaves no dump on the server, and the next worker makes the point', async () => {
    const worker = await ground.startWorker();
    const started = await ground.backUpUntilHeldUp();
    expect(await dumpers()).toBe('1');

    await worker.stop('SIGKILL');

    await expect.poll(dumpers, { timeout: 30_000 * slowness, interval: 500 }).toBe('0');
    ground.letGo();
    await ground.startWorker();
    await ground.expectPoint(started);
  });

  it('stands still is made by another one, of which the first takes nothing away', async () => {
    const uploads = await ground.store.listOpenUploads('');
    const still = await ground.startWorker();
    const started = await ground.backUpUntilHeldUp();
    process.kill(still.pid, 'SIGSTOP');
    let other: WorkerProcess | undefined;
    try {
      other = await startWorkerProcess(ground.setting);
      ground.letGo();
      const point = await ground.expectPoint(started);
      const stored = await storedObjects();

      process.kill(still.pid, 'SIGCONT');
      await expect.poll(() => ground.store.listOpenUploads(''), { timeout: 30_000 * slowness }).toEqual(uploads);
      await still.stop('SIGTERM');

      expect(await storedObjects()).toEqual(stored);
      const verified = await ground.run(['verify', point]);
      expect(verified.exitCode, verified.stderr).toBe(0);
    } finally {
      // one that stands still does not hear SIGTERM
      await still.stop('SIGKILL');
      await other?.stop();
    }
  });

  async function storedObjects(): Promise<string[]> {
    return (await ground.storedKeys()).filter((key) => !key.startsWith('open upload'));
  }

  async function dumpers(): Promise<string> {
    return await ground.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump'");
  }
});
