import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { installRelease } from '../../sandbox/platform/install-release.ts';
import { clusterState } from './as-it-was.ts';
import { type Ground, openGround } from './ground.ts';

const namespace = 'e2e-metrics';
const into = 'e2e-metrics-scratch';
const releases = ['prometheus', 'alertmanager'].map((chart) => ({ chart, namespace, name: chart }));

describe('Prometheus and Alertmanager', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround('metrics', { releases });
    await deleteNamespaces(ground.sandbox, [into]);
    await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
    await deleteNamespaces(ground.sandbox, [into]);
  });

  it('are backed up while they serve', async () => {
    const backup = await ground.run(['backup']);

    expect(backup.result.outcome, backup.stderr).toBe('complete');
    const totals = Object.assign({}, ...backup.result.releases.map(({ facts }) => facts.before)) as object;
    expect(totals).toMatchObject({ silences: 6 });
    expect(await inPod(namespace, 'prometheus', 'ls -A /prometheus | grep -e snapshot || :')).toBe('');
  });

  it('come back in another namespace with equal facts, and leave those that run alone', async () => {
    const before = await clusterState(ground, [namespace]);
    const silences = await listSilences(namespace);
    const samples = await history(namespace);
    expect(samples).toHaveLength(23);

    for (const { name } of releases) {
      const recovered = await ground.run(['recover', `${namespace}/${name}`, '--into', into, '--on-failure', 'abort']);
      expect(recovered.result.outcome, recovered.stderr).toBe('complete');
      const [release] = recovered.result.releases;
      expect(release?.release).toBe(`${into}/${name}`);
      expect(release?.facts).toMatchObject({ equal: true, exceptions: [] });
      expect(release?.facts.compared).toBeGreaterThan(5);
    }

    expect(await history(into)).toEqual(samples);
    expect(await listSilences(into)).toEqual(silences);
    expect(await clusterState(ground, [namespace])).toEqual(before);
  });

  it('come back over live data, twice without a copy of a silence', async () => {
    for (const name of ['alertmanager', 'alertmanager', 'prometheus']) {
      if (name === 'alertmanager') await inPod(namespace, name, `${amtool} silence add -a x -c stray alertname=Stray`);
      const recovered = await ground.run(['recover', `${namespace}/${name}`, '--data', ...approved]);
      expect(recovered.result.outcome, recovered.stderr).toBe('complete');
      expect(recovered.result.releases[0]?.facts).toMatchObject({ equal: true });
    }
    const listed = JSON.parse(await inPod(namespace, 'alertmanager', `${amtool} -o json silence query`)) as object[];
    expect(listed).toHaveLength(6);
  });

  it('are not called backed up where the admin API is off', async () => {
    const off = {
      chart: 'prometheus',
      namespace,
      name: 'prometheus',
      values: { prometheus: { enableAdminAPI: false } },
    };
    await installRelease(ground.sandbox, off);

    const backup = await ground.run(['backup', `${namespace}/prometheus`]);

    expect(backup.result.outcome).toBe('failed');
    expect(backup.exitCode).toBe(1);
    expect(backup.result.failure).toMatchObject({
      code: 'ApiDisabled',
      message: expect.stringMatching(/--web\.enable-admin-api/) as string,
      hint: expect.stringMatching(/^Switch on/) as string,
    });
    expect(backup.result.releases[0]?.recoveryPoint).toBeNull();
  });

  const approved = ['--yes', '--by', 'test', '--reason', 'test', '--on-failure', 'abort'];
  const amtool = 'amtool --alertmanager.url=http://127.0.0.1:9093';
  /** How many samples each series has that the seed wrote for the days before. */
  async function history(at: string): Promise<string[]> {
    const expression = encodeURIComponent('count_over_time({__name__=~"shop_(orders_total|temperature)"}[90h])');
    const said = await inPod(at, 'prometheus', `wget -q -O - 'http://127.0.0.1:9090/api/v1/query?query=${expression}'`);
    const { data } = JSON.parse(said) as { data: { result: { metric: object; value: [number, string] }[] } };
    return data.result.map(({ metric, value }) => `${JSON.stringify(metric)} ${value[1]}`).sort();
  }

  /** amtool sorts by the end: of two with the same end either comes first. */
  async function listSilences(at: string): Promise<string[]> {
    return (await inPod(at, 'alertmanager', `${amtool} silence query -o simple`)).split('\n').sort();
  }

  async function inPod(at: string, name: string, script: string): Promise<string> {
    const said = await ground.kubectl(['exec', '-n', at, `${name}-0`, '-c', name, '--', 'sh', '-ceu', script]);
    return said.trim();
  }
});
