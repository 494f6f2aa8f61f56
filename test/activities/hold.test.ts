import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import type { Backends } from '../../activities/backends.ts';
import { createHoldActivities } from '../../activities/hold.ts';
import { writeRunDocument } from '../../activities/run-record.ts';
import { BoundPlan } from '../../model/bound-plan.ts';
import { filesystemStore } from '../../transfer/filesystem-store.ts';
import { createRecoveryKit } from '../../transfer/keys.ts';
import { localKubectl } from './local-kubectl.ts';

type Container = { readonly ready: boolean; readonly started: boolean; readonly state: object };

const running: Container = { ready: false, started: true, state: { running: {} } };

/** Fences a release of one pod, whose sessions `script` ends. @returns how often it ran */
async function raiseFence(container: Container, script: string, mayLack = false): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-hold-'));
  const ran = join(folder, 'ran');
  const store = filesystemStore(folder);
  const { kit } = await createRecoveryKit({ platform: 'test', store: { url: `file://${folder}`, region: 'none' } });
  const pod = {
    metadata: { name: 'db-0' },
    status: {
      conditions: [{ type: 'Ready', status: container.ready ? 'True' : 'False' }],
      containerStatuses: [{ name: 'c', ...container }],
    },
  };
  const kubernetes = { core: { listNamespacedPod: () => Promise.resolve({ items: [pod] }) } };
  const backends = { store, kit, kubernetes, access: await localKubectl() } as unknown as Backends;
  const command = ['sh', '-c', `echo >>${ran}; ${script}`];
  await writeRunDocument(backends, 'run', { bound: boundTo(command), recovery: null });
  const environment = new MockActivityEnvironment({ workflowExecution: { workflowId: 'workflow', runId: 'run' } });
  const thrown = await environment.run(() =>
    createHoldActivities(backends)
      .raiseFence({ release: 'shop/db', deadlineMs: 60_000, kind: 'plan', mayLack })
      .catch((error: unknown) => error),
  );
  if (thrown instanceof Error) throw thrown;
  return (await readFile(ran, 'utf8').catch(() => '')).length;
}

function boundTo(command: readonly string[]): BoundPlan {
  return BoundPlan.parse({
    release: { cluster: 'east', namespace: 'shop', name: 'db' },
    chart: { name: 'db', version: '1.0.0', appVersion: '1', reference: null },
    revision: 1,
    tier: 1,
    rpoMs: 1,
    rtoMs: 1,
    allowDowntimeMs: null,
    plan: {
      apiVersion: 'lifeboat/v1',
      charts: ['db'],
      tier: 1,
      objectives: { rpo: '24h', rto: '1h' },
      workloads: { db: { kind: 'StatefulSet', container: 'c' } },
      components: [{ name: 'config', method: 'release-config' }],
      fence: { by: 'services', endSessions: { name: 'end-sessions', workload: 'db', command, within: '1s' } },
      checks: { health: [{ name: 'up', workload: 'db', command: ['true'] }] },
    },
    planDigest: 'd',
    workloads: {
      db: {
        namespace: 'shop',
        kind: 'StatefulSet',
        name: 'db',
        container: 'c',
        image: 'i:1',
        replicas: 1,
        selector: { app: 'db' },
        claims: [],
        uid: null,
        gid: null,
      },
    },
    hosts: {},
    parameters: {},
    services: [],
    claims: [],
    requires: [],
  });
}

describe('raiseFence', () => {
  it('ends the sessions of a pod that is not ready, and looks again once the nodes know', async () => {
    expect(await raiseFence(running, 'true')).toBe(2);
  });

  it('is not proven by a pod that is not ready and has sessions', async () => {
    await expect(raiseFence(running, 'echo 3 foreign sessions; exit 1')).rejects.toMatchObject({
      code: 'FenceFailed',
      message: expect.stringContaining('3 foreign sessions') as string,
    });
  });

  it('lets a release that is to be replaced be too broken to answer', async () => {
    expect(await raiseFence(running, 'exit 1', true)).toBeGreaterThan(2);
    await expect(raiseFence({ ...running, ready: true }, 'exit 1', true)).rejects.toMatchObject({
      code: 'FenceFailed',
    });
  });

  it.each<[string, Container]>([
    ['has not come through its startup', { ...running, started: false }],
    ['does not run', { ready: false, started: false, state: { waiting: {} } }],
  ])('is proven where the pod %s', async (_, container) => {
    expect(await raiseFence(container, 'exit 1')).toBe(0);
  });
});
