import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { openStore } from '../../activities/open-store.ts';
import { clusterState } from '../e2e/as-it-was.ts';
import { type Ground, openGround } from '../e2e/ground.ts';
import { temporalClient, waitForActivity } from '../e2e/temporal-client.ts';

const namespace = 'faults-drill-data';
const redis = `${namespace}/redis`;

describe('a drill whose worker is killed', () => {
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

  /** How many marks say that a point of the release was restored. */
  async function restoredMarks(): Promise<number> {
    const { kit } = ground.setting;
    const { accessKeyId, secretAccessKey } = ground.sandbox.s3;
    const store = await openStore(kit.store, { accessKeyId, secretAccessKey });
    let marks = 0;
    for await (const { key } of store.list(`verifications/sandbox/${redis}/`))
      if ((await store.get(key)).toString('utf8').includes('"restored"')) marks += 1;
    return marks;
  }

  it.each([
    { activity: 'openScratchNamespaces', of: 'the drill' },
    { activity: 'isolateScratch', of: 'the drill' },
    { activity: 'restoreComponent', of: 'the recovery in it' },
    { activity: 'closeScratchNamespaces', of: 'the drill' },
  ])('resumes at $activity of $of, proves the same and leaves nothing', async ({ activity, of }) => {
    const marks = await restoredMarks();
    const worker = await ground.startWorker();
    const { workflowId } = (await ground.run(['drill', redis, '--no-wait'])).result;
    const client = await temporalClient(ground);
    await waitForActivity(client, of === 'the drill' ? workflowId : `${workflowId}/${redis}`, activity);
    await worker.stop('SIGKILL');
    await ground.startWorker();

    const ended = await ground.run(['watch', workflowId]);

    expect(ended.exitCode, `${ended.stderr}\n${ended.stdout}`).toBe(0);
    expect(ended.result).toMatchObject({
      outcome: 'complete',
      compensation: 'none',
      drill: { isolated: 'enforced' },
      releases: [{ release: redis, outcome: 'complete', facts: { equal: true } }],
    });
    await expectAsItWas();
    expect(await restoredMarks()).toBe(marks + 1);
    await client.connection.close();
  });

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
