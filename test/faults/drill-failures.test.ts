import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { clusterState } from '../e2e/as-it-was.ts';
import { type Ground, openGround } from '../e2e/ground.ts';
import { temporalClient, waitForActivity } from '../e2e/temporal-client.ts';

const namespace = 'faults-drill-data';
const redis = `${namespace}/redis`;

describe('a drill whose worker and Temporal are gone', () => {
  let ground: Ground;
  let before: string[];

  beforeAll(async () => {
    const temporalNamespace = 'faults-drill';
    ground = await openGround(temporalNamespace, {
      bucket: `faults-drill-${String(Date.now())}`,
      temporalNamespace,
      releases: [{ chart: 'redis', namespace, name: 'redis' }],
    });
    await ground.startWorker();
    const backup = await ground.run(['backup', redis]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    before = await clusterState(ground, [namespace]);
  });

  afterAll(async () => {
    await ground.close();
  });

  /** What a drill of the release has in the cluster: its namespaces, and the volumes of their claims. */
  async function scratch(): Promise<string[]> {
    const namespaces = await ground.kubectl(['get', 'namespaces', '-l', 'lifeboat.dev/drill', '-o', 'name']);
    const template = '{range .items[*]}{.spec.claimRef.namespace}/{.spec.claimRef.name}{"\\n"}{end}';
    const volumes = await ground.kubectl(['get', 'persistentvolumes', '-o', `jsonpath=${template}`]);
    return [...namespaces.split('\n'), ...volumes.split('\n')].filter((line) => line.includes(`${namespace}-drill-`));
  }

  async function expectAsItWas(): Promise<void> {
    expect(await scratch()).toEqual([]);
    expect(await clusterState(ground, [namespace])).toEqual(before);
  }

  it('is taken away by repair where Temporal is gone as well, once a person says that it is gone for good', async () => {
    const worker = await ground.startWorker();
    const { workflowId, runId } = (await ground.run(['drill', redis, '--no-wait'])).result;
    const client = await temporalClient(ground);
    await waitForActivity(client, `${workflowId}/${redis}`, 'restoreComponent');
    await worker.stop('SIGKILL');
    expect(await scratch()).not.toEqual([]);
    // Nothing listens there: for the command Temporal is dead. Only this run is asked for, others share the cluster.
    const withoutTemporal = join(ground.setting.directory, 'without-temporal.yaml');
    const plain = parse(await readFile(ground.setting.configPath, 'utf8')) as object;
    await writeFile(withoutTemporal, stringify({ ...plain, temporal: { address: '127.0.0.1:9' } }));
    const repair = async (...args: string[]) =>
      await ground.run(['repair', '--run', runId, ...args], { LIFEBOAT_CONFIG: withoutTemporal });

    const kept = await repair();
    expect(kept.exitCode).toBe(1);
    expect(kept.stderr).toContain('lifeboat repair --all');
    expect(await scratch()).not.toEqual([]);
    const shown = await repair('--all', '--dry-run');
    expect(shown.exitCode, shown.stderr).toBe(0);
    expect(await scratch()).not.toEqual([]);

    const repaired = await repair('--all');

    expect(repaired.exitCode, repaired.stderr).toBe(0);
    const found = JSON.parse(repaired.stdout) as { what: string; run: string; reason: string; undone: boolean }[];
    expect(found).toEqual([
      expect.objectContaining({
        what: 'scratch namespace',
        run: runId,
        reason: 'you said that its run is gone',
        undone: true,
        problem: null,
      }),
    ]);
    await expectAsItWas();
    expect((JSON.parse((await repair('--all')).stdout) as unknown[]).length).toBe(0);
    await client.workflow.getHandle(workflowId).terminate('its worker is gone for good');
    await client.connection.close();
  });
});
