import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkout } from '../../sandbox/layout.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import { run } from '../../sandbox/run.ts';
import { followGuide } from './follow-guide.ts';
import {
  beside,
  byHand,
  claim,
  definition,
  generatingSecret,
  hooks,
  nodePort,
  octalMode,
  ofThatKind,
  outside,
  volume,
} from './foreign-templates.ts';
import { type Ground, openGround } from './ground.ts';

const namespace = 'e2e-foreign';
const release = `${namespace}/mysql`;

const removeVolume = ['delete', 'persistentvolume', byHand, '--ignore-not-found'];
const removeDefinition = ['delete', 'customresourcedefinition', 'orders.e2e.example', '--ignore-not-found'];

describe('a release of a chart as others write them', () => {
  let ground: Ground;
  let charts: string;
  let point: string;

  beforeAll(async () => {
    charts = await mkdtemp(join(tmpdir(), 'lifeboat-foreign-'));
    for (const folder of ['mysql', 'common'])
      await cp(join(checkout, 'charts', folder), join(charts, folder), { recursive: true });
    await writeFile(join(charts, 'mysql', 'templates', 'secret.yaml'), generatingSecret);
    await writeFile(join(charts, 'mysql', 'templates', 'outside.yaml'), nodePort);
    await writeFile(join(charts, 'mysql', 'templates', 'hooks.yaml'), hooks);
    await mkdir(join(charts, 'mysql', 'crds'));
    await writeFile(join(charts, 'mysql', 'crds', 'orders.yaml'), definition);
    await writeFile(join(charts, 'mysql', 'templates', 'order.yaml'), ofThatKind);
    await writeFile(join(charts, 'mysql', 'templates', 'claim.yaml'), claim);
    await writeFile(join(charts, 'mysql', 'templates', 'beside.yaml'), outside);
    const workload = join(charts, 'mysql', 'templates', 'statefulset.yaml');
    const text = await readFile(workload, 'utf8');
    await writeFile(workload, text.replace(/^( +)configMap:$/m, `$&\n$1  ${octalMode}`));
    const releases = [{ chart: 'mysql', namespace, name: 'mysql' }];
    ground = await openGround('foreign', {
      releases,
      install: false,
      releaseOverrides: { [release]: { chart: join(charts, 'mysql') } },
    });
    await deleteNamespaces(ground.sandbox, [beside]);
    await makeVolume();
    for (const name of [namespace, beside]) await ground.kubectl(['create', 'namespace', name]);
    await ground.kubectl(['create', 'secret', 'generic', 'by-hand', '-n', namespace, '--from-literal=word=kept']);
    await ground.kubectl(['create', 'secret', 'generic', 'bank', '-n', namespace, '--from-literal=word=kept']);
    await install(ground);
    await makeReceipt();
    await sql(
      'USE shop; CREATE TABLE orders (id INT PRIMARY KEY, note TEXT); INSERT INTO orders SELECT seq, REPEAT("x", seq) FROM seq_1_to_500',
    );
    await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
    await deleteNamespaces(ground.sandbox, [beside]);
    await ground.kubectl(removeDefinition);
    await ground.kubectl(removeVolume);
    await rm(charts, { recursive: true });
  });

  it('comes back with the captured passwords, inside the database and out, and with the kind that it brings', async () => {
    const before = { passwords: await passwords(), hooked: await madeByHooks() };
    expect(before.hooked.flatMap((data) => Object.keys(data))).toEqual(['token', 'installed']);
    expect(await modeOfConfig()).toBe('493');
    const backup = await ground.run(['backup', release]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    point = backup.result.releases[0]?.recoveryPoint ?? '';
    await deleteNamespaces(ground.sandbox, [namespace, beside]);
    await ground.kubectl(removeDefinition);
    const tooEarly = await ground.run(['recover', release]);
    expect(tooEarly.result, tooEarly.stderr).toMatchObject({
      outcome: 'refused',
      failure: { code: 'PrerequisitesMissing' },
    });
    expect(tooEarly.result.failure?.message).toContain(`names ${beside}, which the cluster lacks`);
    await ground.kubectl(['create', 'namespace', beside]);

    const recovered = await ground.run(['recover', release]);

    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    const [result] = recovered.result.releases;
    expect(result?.facts).toMatchObject({ equal: true });
    expect(result?.notes.join('\n')).toMatch(/started anew with the captured .*Secret\/mysql-secret/);
    expect({ passwords: await passwords(), hooked: await madeByHooks() }).toEqual(before);
    expect(await modeOfConfig()).toBe('493');
    const ofBeside = ['get', 'configmap', 'mysql-beside', '-n', beside, '-o', 'jsonpath={.data.of}'];
    expect(await ground.kubectl(ofBeside)).toBe('mysql');
    const paid = ['get', 'orders.e2e.example', 'mysql', '-n', namespace, '-o', 'jsonpath={.spec.paid}'];
    expect(await ground.kubectl(paid)).toBe('true');
    expect(await dataOf('secret', 'bank')).toEqual({ word: Buffer.from('kept').toString('base64') });
    expect(await ground.kubectl(['get', 'secret', 'receipt', '-n', namespace, '--ignore-not-found'])).toBe('');
    expect(await sql('SELECT COUNT(*), SUM(LENGTH(note)) FROM shop.orders')).toBe('500\t125250');
    expect(await countAsApplication(before.passwords)).toBe('500');
  });

  it('comes into no other namespace, as what it has outside of its own would be replaced', async () => {
    const refused = await ground.run(['recover', release, '--into', 'e2e-foreign-copy']);

    expect(refused.result, refused.stderr).toMatchObject({
      outcome: 'refused',
      failure: { code: 'PrerequisitesMissing' },
    });
    expect(refused.result.failure?.message).toContain(`its manifest names ${beside} beside`);
  });

  it('is brought back over itself while it runs, with what it holds of the cluster', async () => {
    await sql('INSERT INTO shop.orders VALUES (501, "newer than the point")');
    const hooked = await madeByHooks();
    await ground.kubectl(['delete', 'secret', 'mysql-hooked', '-n', namespace]);
    await makeReceipt();

    const recovered = await ground.run(['recover', release, '--yes', '--by', 'test', '--reason', 'test']);

    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    expect(await sql('SELECT COUNT(*) FROM shop.orders')).toBe('500');
    expect(await madeByHooks()).toEqual(hooked);
    const outside = ['get', 'service', 'mysql-outside', '-n', namespace, '-o', 'jsonpath={.spec.ports[0].nodePort}'];
    expect(await ground.kubectl(outside)).toBe('30306');
  });

  it('comes back without Lifeboat, by what its RESTORE.md says', async () => {
    const before = { passwords: await passwords(), hooked: await madeByHooks() };
    await deleteNamespaces(ground.sandbox, [namespace]);
    await ground.kubectl(removeDefinition);
    // what nobody provisions is made by hand again: Helm waits for its claim
    await makeVolume();

    const left = await followGuide(ground, release, point);

    expect({ passwords: await passwords(), hooked: await madeByHooks() }).toEqual(before);
    expect(
      left.filter((name) => /key\.txt|objects|values/.test(name)),
      'what holds secrets is removed',
    ).toEqual([]);
    expect(await dataOf('secret', 'bank')).toEqual({ word: Buffer.from('kept').toString('base64') });
    await ground.kubectl(['rollout', 'restart', 'statefulset/mysql', '-n', namespace]);
    await ground.kubectl(['rollout', 'status', 'statefulset/mysql', '-n', namespace, '--timeout', '120s']);
    expect(await countAsApplication(before.passwords)).toBe('500');
  });

  function exec(command: readonly string[]): string[] {
    return ['exec', '-n', namespace, 'mysql-0', '-c', 'mysql', '--', ...command];
  }

  async function countAsApplication(passwords: Record<string, string>): Promise<string> {
    const client =
      'MYSQL_PWD="$1" exec mariadb --protocol=tcp -h 127.0.0.1 -u app -N -e "SELECT COUNT(*) FROM shop.orders"';
    const password = decode(passwords['application-password']);
    return (await ground.kubectl(exec(['sh', '-c', client, 'sh', password]))).trim();
  }

  async function sql(statement: string): Promise<string> {
    const client = 'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mariadb -u root -N -e "$1"';
    return (await ground.kubectl(exec(['sh', '-c', client, 'sh', statement]))).trim();
  }

  async function makeVolume(): Promise<void> {
    await ground.kubectl(removeVolume);
    await ground.kubectl(['apply', '-f', '-'], JSON.stringify(volume));
  }

  /** What a controller of orders would make: it goes with the order. */
  async function makeReceipt(): Promise<void> {
    const order = ['get', 'orders.e2e.example', 'mysql', '-n', namespace, '-o', 'jsonpath={.metadata.uid}'];
    const owner = { apiVersion: 'e2e.example/v1', kind: 'Order', name: 'mysql', uid: await ground.kubectl(order) };
    const receipt = {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'receipt', namespace, ownerReferences: [owner] } },
      stringData: { made: new Date().toISOString() },
    };
    await ground.kubectl(['apply', '-f', '-'], JSON.stringify(receipt));
  }

  async function modeOfConfig(): Promise<string> {
    const path = '{.spec.template.spec.volumes[?(@.name=="config")].configMap.defaultMode}';
    return await ground.kubectl(['get', 'statefulset', 'mysql', '-n', namespace, '-o', `jsonpath=${path}`]);
  }

  async function passwords(): Promise<Record<string, string>> {
    return await dataOf('secret', 'mysql-secret');
  }

  async function madeByHooks(): Promise<Record<string, string>[]> {
    return [await dataOf('secret', 'mysql-hooked'), await dataOf('configmap', 'mysql-hooked')];
  }

  async function dataOf(kind: string, name: string): Promise<Record<string, string>> {
    const text = await ground.kubectl(['get', kind, name, '-n', namespace, '-o', 'json']);
    return (JSON.parse(text) as { data: Record<string, string> }).data;
  }

  async function install({ sandbox }: Ground): Promise<void> {
    const values = await readFile(join(checkout, 'charts', 'mysql', 'sandbox', 'values.yaml'), 'utf8');
    await run(sandbox.tools.helm, ['dependency', 'build', join(charts, 'mysql')]);
    await run(
      sandbox.tools.helm,
      [
        ...['upgrade', '--install', 'mysql', join(charts, 'mysql'), '-n', namespace, '--create-namespace'],
        ...helmClusterArgs(sandbox),
        ...['-f', '-', '--set', 'mysql.existingSecret=', '--set-json', 'mysql.users=[]', '--wait', '--timeout', '300s'],
      ],
      { input: values, timeoutMs: 330_000 },
    );
  }
});

function decode(value: string | undefined): string {
  return Buffer.from(value ?? '', 'base64').toString('utf8');
}
