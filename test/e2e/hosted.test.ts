import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import { checkWriter, startWriter } from '../../sandbox/platform/writer.ts';
import { clusterState } from './as-it-was.ts';
import { type Ground, openGround } from './ground.ts';

const namespace = 'e2e-drill-web';
const [mysql, wordpress] = [`${namespace}/mysql`, `${namespace}/wordpress`];
const database = { chart: 'mysql', namespace, name: 'mysql' };
/** The site names its database by the namespace: an address that a drill has to rewrite. */
const address = `mysql.${namespace}.svc.cluster.local`;

describe('a site whose database lives in another release', () => {
  let ground: Ground;

  beforeAll(async () => {
    ground = await openGround('drill-hosted', {
      releases: [
        database,
        { chart: 'wordpress', namespace, name: 'wordpress', values: { wordpress: { database: { host: address } } } },
      ],
    });
    await ground.kubectl(['delete', 'configmap', '-n', namespace, 'wordpress-billing', '--ignore-not-found']);
    await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
  });

  async function sql(statement: string): Promise<string> {
    const client = 'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mariadb -u root -N -e "$1"';
    const command = ['exec', '-n', namespace, 'mysql-0', '-c', 'mysql', '--', 'sh', '-c', client, 'sh', statement];
    return (await ground.kubectl(command)).trim();
  }

  /** The site's tables, and that nobody restarted or replaced the pods. */
  async function source(): Promise<string[]> {
    const tables = await sql(
      "SELECT group_concat(concat(table_schema, '.', table_name) ORDER BY table_name) FROM information_schema.tables WHERE table_schema = 'wordpress'",
    );
    const pods = await ground.kubectl([
      ...['get', 'pods', '-n', namespace, '-o'],
      'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{"\\n"}{end}',
    ]);
    return [
      ...(await clusterState(ground, [namespace])),
      ...(await sql(`CHECKSUM TABLE ${tables}`)).split('\n'),
      ...pods.trim().split('\n').sort(),
    ];
  }

  it('is drilled under a writer, in a network of its own, and touches nothing of the source', async () => {
    const writer = await startWriter(ground.sandbox, database);
    const backup = await ground.run(['backup']);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    const before = await source();
    const written = writer.acknowledgedCount;

    const drill = await ground.run(['drill', wordpress]);

    const after = await source();
    const { acknowledged } = await writer.stop();
    expect(drill.result.outcome, `${drill.stderr}\n${drill.stdout}`).toBe('complete');
    expect(drill.exitCode).toBe(0);
    // Its database is drilled with it, and before it.
    expect(drill.result.releases.map(({ release, outcome }) => `${release} ${outcome}`)).toEqual([
      `${mysql} complete`,
      `${wordpress} complete`,
    ]);
    for (const release of drill.result.releases) {
      expect(release.facts).toMatchObject({ equal: true });
      expect(release.facts.compared).toBeGreaterThan(3);
      expect(release.rto.achievedSeconds).toBeGreaterThan(0);
      expect(release.rpo.achievedSeconds).toBeGreaterThan(0);
    }
    expect(drill.result.objectivesMet).toBe(true);
    expect(drill.result.drill?.isolated).toBe('enforced');
    for (const what of [
      `pod ${namespace}/mysql-0`,
      `Service ${mysql}`,
      `name mysql.${namespace}.svc`,
      'the API server',
    ])
      expect(drill.result.drill?.probes.filter((probe) => probe.includes(`${what}: `)).at(0)).toMatch(
        /open before the policy, then closed$/,
      );

    expect(after).toEqual(before);
    expect(written).toBeGreaterThan(0);
    expect(acknowledged.length).toBeGreaterThan(written);
    const ledger = await checkWriter(ground.sandbox, database);
    expect(ledger).toMatchObject({ sum: 100_000, rows: ledger.maxId });
    expect(ledger.maxId).toBeGreaterThanOrEqual(acknowledged.at(-1) ?? Number.POSITIVE_INFINITY);
    const left = await ground.kubectl(['get', 'namespaces', '-l', 'lifeboat.dev/drill', '-o', 'name']);
    expect(left).not.toContain(namespace);

    const status = await ground.run(['status']);
    const { releases } = JSON.parse(status.stdout) as { releases: { release: string; proof: string }[] };
    expect(releases.map(({ proof }) => proof)).toEqual(['restored', 'restored']);
  });

  it('is left out of a drill of the platform where it names an address with no place in it', async () => {
    const map = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'wordpress-billing', namespace, labels: { 'app.kubernetes.io/instance': 'wordpress' } },
      data: { url: 'http://billing.e2e-drill-elsewhere.svc:8080/pay' },
    };
    await ground.kubectl(['apply', '-f', '-'], JSON.stringify(map));
    const backup = await ground.run(['backup']);
    await ground.kubectl(['delete', 'configmap', '-n', namespace, 'wordpress-billing']);
    expect(backup.result.outcome, backup.stderr).toBe('complete');

    const drill = await ground.run(['drill', '--platform']);

    expect(drill.exitCode, drill.stderr).toBe(3);
    expect(drill.result.outcome).toBe('partial');
    const outcomes = drill.result.releases.map((release) => [release.release, release.outcome, release.failure?.code]);
    expect(outcomes.sort()).toEqual([
      [mysql, 'complete', undefined],
      [wordpress, 'refused', 'EndpointUnmapped'],
    ]);
    expect(drill.result.notes?.join('\n')).toMatch(/platform RTO .* of 4h: met/);
  });

  it('is recovered where it is gone and its database runs: what that held is kept as a point of its release', async () => {
    const approved = ['--yes', '--by', 'test', '--reason', 'the site is gone'];
    await sql('CREATE TABLE wordpress.written_since (n int); INSERT INTO wordpress.written_since VALUES (7)');
    await promisify(execFile)(ground.sandbox.tools.helm, [
      ...['uninstall', 'wordpress', '-n', namespace, '--wait', '--cascade', 'foreground'],
      ...helmClusterArgs(ground.sandbox),
    ]);
    const plan = await ground.run(['recover', wordpress, '--dry-run']);
    expect(plan.result.plan?.overwrites).toContain(`database wordpress in ${mysql}`);
    expect(plan.result.plan?.lines.join('\n')).toContain(`back up ${mysql} first`);

    const ran = await ground.run(['recover', wordpress, ...approved]);

    expect(ran.exitCode, ran.stderr).toBe(0);
    expect(ran.result.releases[0]?.facts.equal).toBe(true);
    await expect(sql('SELECT n FROM wordpress.written_since')).rejects.toThrow(/doesn't exist/);
    const [, copy = ''] =
      /^safety copy of what was in .*: (\S+)$/m.exec(ran.result.releases[0]?.notes.join('\n') ?? '') ?? [];

    const back = await ground.run(['recover', mysql, '--point', copy, ...approved]);

    expect(back.exitCode, back.stderr).toBe(0);
    expect(await sql('SELECT n FROM wordpress.written_since')).toBe('7');
  });
});
