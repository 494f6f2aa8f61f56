import { describe, expect, it } from 'vitest';
import { moveInto, moveIntoDrill } from '../../../activities/binding/move-plan.ts';
import type { BoundPlan, BoundWorkload } from '../../../model/bound-plan.ts';
import { LifeboatFailure } from '../../../model/failures.ts';

const workload = (namespace: string, name: string): BoundWorkload => ({
  namespace,
  kind: 'StatefulSet',
  name,
  container: 'c',
  image: 'i:1',
  replicas: 1,
  selector: {},
  claims: [],
  uid: null,
  gid: null,
});
const site = {
  release: { cluster: 'east', namespace: 'web', name: 'blog' },
  workloads: { web: workload('web', 'blog') },
  hosts: {
    dbHost: { release: { cluster: 'east', namespace: 'data', name: 'mysql' }, workload: workload('data', 'mysql') },
  },
  parameters: { dbHost: 'mysql.data.svc:3306', dbName: 'data' },
  claims: [{ host: 'east/data/mysql', database: 'data', by: 'web/blog' }],
  requires: ['east/data/mysql'],
} as unknown as BoundPlan;

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof LifeboatFailure) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

describe('moveIntoDrill', () => {
  it('moves a release together with the server that its database is in', () => {
    const moves = { web: 'web-drill-1', data: 'data-drill-1' };

    const moved = moveIntoDrill(site, moves);

    expect(moved).toMatchObject({
      release: { namespace: 'web-drill-1', name: 'blog' },
      workloads: { web: { namespace: 'web-drill-1' } },
      hosts: { dbHost: { release: { namespace: 'data-drill-1' }, workload: { namespace: 'data-drill-1' } } },
      // The database keeps its name, which is that of a namespace by chance.
      parameters: { dbHost: 'mysql.data-drill-1.svc:3306', dbName: 'data' },
      claims: [{ host: 'east/data-drill-1/mysql', database: 'data', by: 'web-drill-1/blog' }],
      requires: ['east/data-drill-1/mysql'],
      moved: moves,
    });
    expect(JSON.stringify(moved)).not.toMatch(/"(web|data)\/|"namespace":"(web|data)"/);
  });

  it('refuses a release whose database would stay where it is live', () => {
    expect(codeOf(() => moveIntoDrill(site, { web: 'web-drill-1' }))).toBe('EndpointUnmapped');
  });
});

describe('moveInto', () => {
  it('refuses a release whose database lives in another one', () => {
    expect(codeOf(() => moveInto(site, 'elsewhere'))).toBe('NamespaceMismatch');
  });
});
