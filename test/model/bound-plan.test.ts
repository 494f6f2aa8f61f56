import { describe, expect, it } from 'vitest';
import { BoundPlan, type BoundWorkload, summarizeBoundPlan } from '../../model/bound-plan.ts';

const workload = (name: string): BoundWorkload => ({
  namespace: 'shop',
  kind: 'StatefulSet',
  name,
  container: 'c',
  image: 'i:1',
  replicas: 1,
  selector: { app: name },
  claims: [],
  uid: 999,
  gid: 999,
});

const bound = (plan: Record<string, unknown> = {}): BoundPlan =>
  BoundPlan.parse({
    release: { cluster: 'east', namespace: 'shop', name: 'blog' },
    chart: { name: 'wordpress', version: '1.2.3', appVersion: '6', reference: null },
    revision: 4,
    tier: 2,
    rpoMs: 1,
    rtoMs: 2,
    allowDowntimeMs: 90_000,
    plan: {
      apiVersion: 'lifeboat/v1',
      charts: ['wordpress'],
      tier: 3,
      objectives: { rpo: '24h', rto: '1h' },
      workloads: { web: { kind: 'StatefulSet', container: 'c' } },
      components: [
        { name: 'config', method: 'release-config' },
        { name: 'tables', method: 'mysql-dump', host: 'db-host', group: 'site' },
        {
          name: 'files',
          method: 'volume-archive',
          workload: 'web',
          group: 'site',
          captureWhile: 'stopped',
          restoreWhile: 'stopped',
        },
      ],
      fence: { by: 'scale', workload: 'web' },
      checks: { health: [{ name: 'up', workload: 'web', command: ['true'] }] },
      ...plan,
    },
    planDigest: 'd',
    workloads: { web: workload('web') },
    hosts: {
      'db-host': { release: { cluster: 'east', namespace: 'data', name: 'mysql' }, workload: workload('mysql') },
    },
    parameters: { user: 'wp' },
    services: ['web'],
    claims: [],
    requires: ['east/data/mysql'],
  });

describe('summarizeBoundPlan', () => {
  it('keeps what orders the steps, and nothing that a history should not hold', () => {
    expect(summarizeBoundPlan(bound())).toEqual({
      release: { cluster: 'east', namespace: 'shop', name: 'blog' },
      chart: 'wordpress 1.2.3',
      tier: 2,
      rpoMs: 1,
      rtoMs: 2,
      allowDowntimeMs: 90_000,
      components: [
        {
          name: 'config',
          method: 'release-config',
          group: null,
          captureWhile: 'running',
          restoreWhile: 'running',
          host: null,
        },
        {
          name: 'tables',
          method: 'mysql-dump',
          group: 'site',
          captureWhile: 'running',
          restoreWhile: 'running',
          host: 'east/data/mysql',
        },
        {
          name: 'files',
          method: 'volume-archive',
          group: 'site',
          captureWhile: 'stopped',
          restoreWhile: 'stopped',
          host: null,
        },
      ],
      fence: 'scale',
      quiesceDeadlineMs: null,
      requires: ['east/data/mysql'],
    });
  });

  it('gives the deadline of a quiesce in milliseconds', () => {
    const quiesce = { workload: 'web', hold: ['h'], release: ['r'] };

    expect(summarizeBoundPlan(bound({ quiesce })).quiesceDeadlineMs).toBe(600_000);
    expect(summarizeBoundPlan(bound({ quiesce: { ...quiesce, deadline: '90s' } })).quiesceDeadlineMs).toBe(90_000);
  });
});
