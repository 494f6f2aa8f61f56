import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterState } from './as-it-was.ts';
import { type Ground, openGround } from './ground.ts';

const namespace = 'e2e-drill-data';
const redis = `${namespace}/redis`;

describe('a drill', () => {
  let ground: Ground;
  let before: string[];

  beforeAll(async () => {
    ground = await openGround('drill', {
      releases: [{ chart: 'redis', namespace, name: 'redis' }],
    });
    await ground.startWorker();
    before = await clusterState(ground, [namespace]);
    const backup = await ground.run(['backup']);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
  });

  afterAll(async () => {
    await ground.close();
  });

  /** Namespaces of drills that are there now. */
  async function scratch(): Promise<string[]> {
    const names = await ground.kubectl(['get', 'namespaces', '-l', 'lifeboat.dev/drill', '-o', 'name']);
    return names.split('\n').filter((name) => name.includes(namespace));
  }

  it('recovers a release into a scratch namespace, compares it and leaves nothing', async () => {
    const drill = await ground.run(['drill', redis]);

    expect(drill.result.outcome, `${drill.stderr}\n${drill.stdout}`).toBe('complete');
    expect(drill.exitCode).toBe(0);
    const [result] = drill.result.releases;
    expect(result).toMatchObject({ release: redis, outcome: 'complete', facts: { equal: true } });
    expect(await scratch()).toEqual([]);
    expect(await clusterState(ground, [namespace])).toEqual(before);
  });
});
