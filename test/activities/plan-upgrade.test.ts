import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { planUpgrade, type UpgradeRequest } from '../../activities/plan-upgrade.ts';
import { inActivity, type PlanningGround, planningGround } from './planning-ground.ts';

let ground: PlanningGround;

beforeEach(async () => {
  ground = await planningGround();
});

const problemsOf = async (chart: string, version: string | null): Promise<readonly unknown[]> => {
  const request: UpgradeRequest = {
    ...{ release: 'cache', strategy: 'rolling', chart, version, values: {}, configDigest: null },
  };
  const run = { runId: 'run', attempt: 1 };
  return (await inActivity(async () => await planUpgrade(ground.backends, request, run))).problems;
};

describe('planUpgrade', () => {
  it.each(['folder', 'archive'])(
    'is refused where the chart in a folder or archive (%s) has another version than the asked one',
    async (kind) => {
      const chart = join(ground.folder, kind === 'folder' ? 'chart' : 'redis-1.1.0.tgz');
      if (kind === 'folder') {
        mkdirSync(chart);
        writeFileSync(join(chart, 'Chart.yaml'), 'name: redis\nversion: 1.1.0\n');
      } else writeFileSync(chart, '');

      expect(await problemsOf(chart, '1.2.0')).toEqual([
        {
          code: 'UpgradeRefused',
          message: `upgrade shop/cache: asked for is version 1.2.0, ${chart} is redis 1.1.0`,
        },
      ]);
      expect(await problemsOf(chart, '1.1.0')).toEqual([]);
      expect(await problemsOf(chart, null)).toEqual([]);
    },
  );

  it('pulls the version that is asked for, or one that fits it, from elsewhere', async () => {
    expect(await problemsOf('oci://registry.example/redis', '1.2.0')).toEqual([]);
  });
});
