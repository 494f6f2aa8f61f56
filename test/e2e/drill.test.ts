import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scratchNamespace } from '../../model/drill.ts';
import { policiesOff } from '../../sandbox/kubernetes/policy-rules.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { clusterState } from './as-it-was.ts';
import { type Ground, openGround } from './ground.ts';
import { temporalClient, waitForActivity } from './temporal-client.ts';

const namespace = 'e2e-drill-data';
const redis = `${namespace}/redis`;

describe('a drill', () => {
  let ground: Ground;
  let before: string[];

  beforeAll(async () => {
    ground = await openGround('drill', { releases: [{ chart: 'redis', namespace, name: 'redis' }] });
    await ground.kubectl(['delete', 'configmap', '-n', namespace, 'redis-billing', '--ignore-not-found']);
    await ground.kubectl(['label', 'namespace', namespace, `${policiesOff}-`]);
    await ground.startWorker();
    before = await clusterState(ground, [namespace]);
    await backUp();
  });

  afterAll(async () => {
    await ground.close();
  });

  async function backUp(): Promise<void> {
    const backup = await ground.run(['backup', redis]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
  }

  /** Namespaces of drills that are there now. */
  async function scratch(): Promise<string[]> {
    const names = await ground.kubectl(['get', 'namespaces', '-l', 'lifeboat.dev/drill', '-o', 'name']);
    return names.split('\n').filter((name) => name.includes(namespace));
  }

  async function expectAsItWas(): Promise<void> {
    expect(await scratch()).toEqual([]);
    expect(await clusterState(ground, [namespace])).toEqual(before);
  }

  it('recovers a release into a scratch namespace that is cut off, compares it and leaves nothing', async () => {
    const plan = await ground.run(['drill', redis, '--dry-run']);
    expect(plan.exitCode, plan.stderr).toBe(0);
    expect(plan.result.plan?.overwrites).toEqual([]);
    expect(plan.result.plan?.lines.join('\n')).toMatch(
      /make namespace e2e-drill-data-drill-[0-9a-f]{6} for e2e-drill-data/,
    );

    const drill = await ground.run(['drill', redis]);

    expect(drill.result.outcome, `${drill.stderr}\n${drill.stdout}`).toBe('complete');
    expect(drill.exitCode).toBe(0);
    const [result] = drill.result.releases;
    expect(result).toMatchObject({ release: redis, outcome: 'complete', facts: { equal: true } });
    expect(result?.facts.compared).toBeGreaterThan(1_000);
    expect(drill.result.drill?.isolated).toBe('enforced');
    expect(drill.result.drill?.probes.every((probe) => probe.endsWith('open before the policy, then closed'))).toBe(
      true,
    );
    await expectAsItWas();
    const report = await ground.run(['report', drill.result.workflowId]);
    expect(report.result.drill).toEqual(drill.result.drill);
    const status = await ground.run(['status']);
    expect(JSON.parse(status.stdout)).toMatchObject({ releases: [{ release: redis, proof: 'restored' }] });
  });

  it('leaves nothing when it is cancelled while data comes back', async () => {
    const started = await ground.run(['drill', redis, '--no-wait']);
    const { workflowId } = started.result;
    const client = await temporalClient(ground);
    await waitForActivity(client, workflowId, 'isolateScratch');
    await until(async () => {
      const child = await client.workflow
        .getHandle(`${workflowId}/${redis}`)
        .describe()
        .catch(() => undefined);
      return (child?.raw.pendingActivities ?? []).some(({ activityType }) => activityType?.name === 'restoreComponent');
    });
    expect(await scratch()).toHaveLength(1);

    await client.workflow.getHandle(workflowId).cancel();
    const ended = await ground.run(['watch', workflowId]);

    expect(ended.result.outcome).toBe('cancelled');
    expect(ended.exitCode).toBe(5);
    await expectAsItWas();
    await client.connection.close();
  });

  it('is refused where a namespace of its name is there already, and leaves that one alone', async () => {
    const workflowId = `drill-nightly-${String(Date.now())}`;
    const name = scratchNamespace(namespace, createHash('sha256').update(workflowId).digest('hex').slice(0, 6));
    await ground.kubectl(['create', 'namespace', name]);
    const client = await temporalClient(ground);
    await client.workflow.start('runDrill', { taskQueue: 'lifeboat', workflowId, args: [{ release: redis }] });

    const ended = await ground.run(['watch', workflowId]);

    expect(ended.exitCode).toBe(4);
    expect(ended.result).toMatchObject({
      outcome: 'refused',
      failure: {
        code: 'DrillNamespaceExists',
        message: `create namespace ${name}: it is there already, and no drill made it`,
      },
    });
    expect(ended.result.failure?.hint).toContain('lifeboat repair');
    expect((await ground.kubectl(['get', 'namespace', name, '-o', 'jsonpath={.status.phase}'])).trim()).toBe('Active');
    await deleteNamespaces(ground.sandbox, [name]);
    await expectAsItWas();
    await client.connection.close();
  });

  it('is refused where the pod that probes the isolation cannot start', async () => {
    const path = join(ground.setting.directory, 'without-image.yaml');
    const text = await readFile(ground.setting.configPath, 'utf8');
    await writeFile(path, `${text.replace(/^helperImage:.*$/m, '')}\nhelperImage: lifeboat.local/not-there:1\n`);
    const env = { LIFEBOAT_CONFIG: path, LIFEBOAT_PROBE_WITHIN_MS: '8000' };
    await ground.startWorker(env);
    const refused = await ground.run(['drill', redis], env);
    await ground.startWorker();

    expect(refused.exitCode, refused.stderr).toBe(4);
    expect(refused.result).toMatchObject({
      outcome: 'refused',
      compensation: 'done',
      drill: { isolated: null },
      failure: { code: 'ProbeFailed' },
    });
    expect(refused.result.failure?.message).toMatch(/probe from e2e-drill-data-drill-.*lifeboat\.local\/not-there:1/);
    expect(refused.result.failure?.hint).toContain('helperImage');
    await expectAsItWas();
  });

  it('fails where the service does not come back, and leaves nothing', async () => {
    const env = { LIFEBOAT_READY_WITHIN_MS: '1' };
    await ground.startWorker(env);
    const failed = await ground.run(['drill', redis]);
    await ground.startWorker();

    expect(failed.exitCode, failed.stderr).toBe(1);
    expect(failed.result).toMatchObject({ outcome: 'failed', objectivesMet: null, drill: { isolated: 'enforced' } });
    expect(failed.result.releases).toMatchObject([
      { release: redis, outcome: 'failed', facts: { equal: null }, failure: { code: 'PodNeverReady' } },
    ]);
    await expectAsItWas();
  });

  it('starts from a schedule of lifeboat.yaml', async () => {
    const path = join(ground.setting.directory, 'with-drill.yaml');
    const plain = await readFile(ground.setting.configPath, 'utf8');
    const use = async (text: string): Promise<void> => {
      await writeFile(path, `${plain}${text}`);
      const applied = await ground.run(['schedules', 'apply'], { LIFEBOAT_CONFIG: path });
      expect(applied.exitCode, applied.stderr).toBe(0);
    };
    await use(`schedules:\n  - { name: weekly, run: drill, cron: "0 4 * * 0", releases: [${redis}] }\n`);
    const client = await temporalClient(ground);
    const schedule = client.schedule.getHandle('drill-weekly');
    await schedule.trigger();
    await until(async () => (await schedule.describe()).info.recentActions.length === 1);
    const [action] = (await schedule.describe()).info.recentActions;

    const result: unknown = await client.workflow.getHandle(action?.action.workflow.workflowId ?? '').result();

    expect(result).toMatchObject({ type: 'runDrill', outcome: 'complete', releases: [{ release: redis }] });
    await use('');
    await expectAsItWas();
    await client.connection.close();
  });

  it('is removed by repair when it died', async () => {
    const started = await ground.run(['drill', redis, '--no-wait']);
    const client = await temporalClient(ground);
    await waitForActivity(client, started.result.workflowId, 'isolateScratch');
    const worker = await ground.startWorker();
    await worker.stop('SIGKILL');
    await client.workflow.getHandle(started.result.workflowId).terminate('the test ends it');
    const [name = ''] = await scratch();

    const repaired = await ground.run(['repair']);

    const found = JSON.parse(repaired.stdout) as { what: string; object: string; undone: boolean }[];
    expect(
      found.find(({ what, object }) => what === 'scratch namespace' && name.endsWith(object.replace('Namespace ', ''))),
    ).toMatchObject({ undone: true });
    await ground.startWorker();
    await expectAsItWas();
    await client.connection.close();
  });

  it('refuses a release that names an address with no place in the drill, before anything starts', async () => {
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'redis-billing', namespace, labels: { 'app.kubernetes.io/instance': 'redis' } },
      data: { 'billing.conf': 'upstream http://billing.e2e-drill-elsewhere.svc:8080/pay;' },
    };
    await ground.kubectl(['apply', '-f', '-'], JSON.stringify(map));
    const changed = await clusterState(ground, [namespace]);
    await backUp();

    const refused = await ground.run(['drill', redis]);

    expect(refused.exitCode, refused.stderr).toBe(4);
    expect(refused.result).toMatchObject({ outcome: 'refused', compensation: 'none', drill: { isolated: null } });
    expect(refused.result.releases).toMatchObject([
      { release: redis, outcome: 'refused', failure: { code: 'EndpointUnmapped' } },
    ]);
    const view = refused.result.releases[0]?.failure;
    expect(view?.message).toContain('billing.e2e-drill-elsewhere (ConfigMap redis-billing)');
    expect(view?.hint).toContain('drill the release behind it too');
    expect(await scratch()).toEqual([]);
    expect(await clusterState(ground, [namespace])).toEqual(changed);
    await ground.kubectl(['delete', 'configmap', '-n', namespace, 'redis-billing']);
    await backUp();
  });

  it('is refused where the network enforces nothing, and says not isolated where that is accepted by name', async () => {
    // The scratch namespace takes the labels of its source, and this one switches the enforcement off.
    await ground.kubectl(['label', 'namespace', namespace, `${policiesOff}=off`]);
    await backUp();
    const refused = await ground.run(['drill', redis]);
    expect(refused.exitCode, refused.stderr).toBe(4);
    expect(refused.result).toMatchObject({
      outcome: 'refused',
      compensation: 'done',
      drill: { isolated: 'not isolated' },
      failure: { code: 'NotIsolated', changed: 'no' },
    });
    expect(refused.result.failure?.message).toMatch(
      /what is live can be reached from it: .* pod e2e-drill-data\/redis-0: open before the policy, then open/,
    );
    expect(refused.result.failure?.hint).toContain('--accept-not-isolated CLUSTER');
    await expectAsItWas();

    const wrong = await ground.run(['drill', redis, '--accept-not-isolated', 'another-cluster']);
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain('takes the name of the cluster, sandbox, not another-cluster');

    const accepted = await ground.run(['drill', redis, '--accept-not-isolated', 'sandbox']);
    expect(accepted.result.outcome, accepted.stderr).toBe('complete');
    expect(accepted.result.drill?.isolated).toBe('not isolated');
    expect(accepted.result.notes?.join('\n')).toContain('not isolated: accepted by name for the cluster sandbox');
    await expectAsItWas();
    await ground.kubectl(['label', 'namespace', namespace, `${policiesOff}-`]);
  });
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 180_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('it did not come in 180 s');
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
}
