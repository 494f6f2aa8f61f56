import { expect } from 'vitest';
import { type Fault, startFaultProxy } from '../conformance/fault-proxy.ts';
import { openSandbox } from '../e2e/ground.ts';
import { slowness } from '../slowness.ts';
import { type FaultsGround, openFaultsGround } from './faults-ground.ts';

/**
 * 170 MB of text that packs to three quarters: what is on its way of a dump that nobody reads, in the worker and in every
 * connection up to the pod, is 80 MB, packed.
 */
const manyBytes = `CREATE TABLE many_bytes AS
SELECT g, (SELECT string_agg(encode(sha256(((g * 1000 + i)::text)::bytea), 'base64'), '') FROM generate_series(1, 1000) i) AS text
FROM generate_series(1, 3900) g`;

/** A run, and how many manifests there were before it. */
export type Started = { readonly workflowId: string; readonly manifests: number };

/** A ground whose store can be held up in the middle of the dump of the database `shop`. */
export type CaptureGround = FaultsGround & {
  /** Begins a backup. */
  backUp(): Promise<Started>;
  /** Begins a backup of many bytes, and waits until the store keeps parts of their dump without an answer. */
  backUpUntilHeldUp(): Promise<Started>;
  /** Lets the parts go on that are held up, and all others. */
  letGo(): void;
  /** Waits for the run, which is complete and has added one manifest. @returns the id of its point */
  expectPoint(started: Started): Promise<string>;
  /** Objects and open uploads of dumps of the shop. */
  ofTheDump(): Promise<string[]>;
};

/** Opens the ground; its worker runs. */
export async function openCaptureGround(name: string): Promise<CaptureGround> {
  const { s3 } = await openSandbox();
  let atStore: (line: string) => Fault | undefined = () => undefined;
  let letGo: () => void = () => undefined;
  const proxy = await startFaultProxy(s3.endpoint, (line) => atStore(line));
  const bucket = `faults-${name}-${String(Date.now())}`;
  const ground = await openFaultsGround(name, {
    bucket,
    overrides: { store: { url: `s3://${bucket}/dr`, endpoint: proxy.endpoint, region: s3.region } },
  });
  const countManifests = async (): Promise<number> =>
    (await ground.storedKeys()).filter((key) => key.startsWith('manifests/')).length;
  const backUp = async (): Promise<Started> => {
    const manifests = await countManifests();
    const { exitCode, stderr, result } = await ground.run(['backup', ground.names.postgresql, '--no-wait']);
    expect(exitCode, stderr).toBe(0);
    return { workflowId: result.workflowId, manifests };
  };
  return {
    ...ground,
    backUp,
    backUpUntilHeldUp: async () => {
      if ((await ground.psql("SELECT to_regclass('many_bytes')")) === '') await ground.psql(manyBytes);
      let heldUp = 0;
      const until = new Promise<void>((resolve) => {
        letGo = () => {
          atStore = () => undefined;
          resolve();
        };
      });
      atStore = (line) => {
        if (!/^PUT .*database-shop.*partNumber=/.test(line)) return undefined;
        heldUp += 1;
        return { kind: 'hold', until };
      };
      const started = await backUp();
      await expect.poll(() => heldUp, { timeout: 60_000 * slowness, interval: 100 }).toBeGreaterThan(3);
      return started;
    },
    letGo: () => {
      letGo();
    },
    expectPoint: async ({ workflowId, manifests }) => {
      const ended = await ground.run(['watch', workflowId]);
      expect(ended.result.outcome, ended.stderr).toBe('complete');
      expect(ended.exitCode).toBe(0);
      expect(await countManifests()).toBe(manifests + 1);
      return ended.result.releases[0]?.recoveryPoint ?? '';
    },
    ofTheDump: async () => (await ground.storedKeys()).filter((key) => key.includes('database-shop/')),
    close: async () => {
      letGo();
      await ground.close();
      await proxy.stop();
    },
  };
}
