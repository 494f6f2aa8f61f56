import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkout } from '../../sandbox/layout.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import { run } from '../../sandbox/run.ts';
import { type Ground, openGround } from './ground.ts';

const namespace = 'e2e-generated';
const release = `${namespace}/mysql`;

/** What a chart does that makes up its passwords: another one at each installation. */
const generatingSecret = `apiVersion: v1
kind: Secret
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-secret") | nindent 2 }}
type: Opaque
stringData:
  mysql-root-password: {{ randAlphaNum 20 | quote }}
  application-password: {{ randAlphaNum 20 | quote }}
`;

describe('a release whose chart makes up its passwords', () => {
  let ground: Ground;
  let charts: string;

  beforeAll(async () => {
    charts = await mkdtemp(join(tmpdir(), 'lifeboat-generating-'));
    for (const folder of ['mysql', 'common'])
      await cp(join(checkout, 'charts', folder), join(charts, folder), { recursive: true });
    await writeFile(join(charts, 'mysql', 'templates', 'secret.yaml'), generatingSecret);
    const releases = [{ chart: 'mysql', namespace, name: 'mysql' }];
    ground = await openGround('generated', {
      releases,
      install: false,
      releaseOverrides: { [release]: { chart: join(charts, 'mysql') } },
    });
    await install(ground);
    await sql(
      'USE shop; CREATE TABLE orders (id INT PRIMARY KEY, note TEXT); INSERT INTO orders SELECT seq, REPEAT("x", seq) FROM seq_1_to_500',
    );
    await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
    await rm(charts, { recursive: true });
  });

  it('comes back with the captured passwords, inside the database and out', async () => {
    const before = await passwords();
    const backup = await ground.run(['backup', release]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
    await deleteNamespaces(ground.sandbox, [namespace]);

    const recovered = await ground.run(['recover', release]);

    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    const [result] = recovered.result.releases;
    expect(result?.facts).toMatchObject({ equal: true });
    expect(result?.notes.join('\n')).toMatch(/started anew with the captured Secret\/mysql-secret/);
    expect(await passwords()).toEqual(before);
    expect(await sql('SELECT COUNT(*), SUM(LENGTH(note)) FROM shop.orders')).toBe('500\t125250');
    const asApplication =
      'MYSQL_PWD="$1" exec mariadb --protocol=tcp -h 127.0.0.1 -u app -N -e "SELECT COUNT(*) FROM shop.orders"';
    const counted = await ground.kubectl(
      exec(['sh', '-c', asApplication, 'sh', decode(before['application-password'])]),
    );
    expect(counted.trim()).toBe('500');
  });

  function exec(command: readonly string[]): string[] {
    return ['exec', '-n', namespace, 'mysql-0', '-c', 'mysql', '--', ...command];
  }

  async function sql(statement: string): Promise<string> {
    const client = 'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mariadb -u root -N -e "$1"';
    return (await ground.kubectl(exec(['sh', '-c', client, 'sh', statement]))).trim();
  }

  async function passwords(): Promise<Record<string, string>> {
    const text = await ground.kubectl(['get', 'secret', 'mysql-secret', '-n', namespace, '-o', 'json']);
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
