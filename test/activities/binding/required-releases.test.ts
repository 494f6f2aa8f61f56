import { describe, expect, it } from 'vitest';
import { requiredReleases } from '../../../activities/binding/required-releases.ts';
import type { ReleaseReader } from '../../../activities/clients/helm.ts';
import type { BoundPlan } from '../../../model/bound-plan.ts';
import { Platform } from '../../../model/platform.ts';

const web = { cluster: 'east', namespace: 'web', name: 'site' };
const charts: Readonly<Record<string, string>> = {
  'web/site': 'site-1.0.0',
  'web/mysql': 'mysql-2.0.0',
  'data/mysql': 'mysql-2.0.0',
  'data/cache': 'redis-3.0.0',
};
const platform = Platform.parse({
  ...{ apiVersion: 'lifeboat/v1', platform: 'shop', cluster: { name: 'east' }, store: { url: 'file:///x' } },
  recipients: ['age1one', 'age1two'],
  releases: [...Object.keys(charts), 'data/gone'].map((release) => ({ release })),
});
const read = (async (namespace: string, name: string) => {
  const chart = charts[`${namespace}/${name}`];
  return await Promise.resolve(chart === undefined ? undefined : { chart });
}) as unknown as ReleaseReader;
const of = (requires: readonly string[], holding: readonly string[] = []) =>
  ({
    release: web,
    plan: { requires },
    hosts: Object.fromEntries(holding.map((name) => [name, { release: { cluster: 'east', namespace: 'data', name } }])),
  }) as unknown as BoundPlan;

describe('requiredReleases', () => {
  it('are those of the charts that the plan requires, whichever namespace they are in', async () => {
    expect(await requiredReleases({ platform, read }, of(['mysql', 'redis', 'kafka']), undefined)).toEqual([
      'east/web/mysql',
      'east/data/mysql',
      'east/data/cache',
    ]);
  });

  it('are of a chart that holds data of the release only the one that does', async () => {
    expect(await requiredReleases({ platform, read }, of(['mysql'], ['mysql']), undefined)).toEqual([
      'east/data/mysql',
    ]);
  });

  it('are those too that lifeboat.yaml names; the release does not require itself', async () => {
    expect(await requiredReleases({ platform, read }, of(['site']), { requires: ['data/gone'] })).toEqual([
      'east/data/gone',
    ]);
  });
});
