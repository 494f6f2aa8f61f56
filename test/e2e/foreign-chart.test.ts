import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkout } from '../../sandbox/layout.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import { run } from '../../sandbox/run.ts';
import { type Ground, openGround } from './ground.ts';

const namespace = 'e2e-foreign';
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

/**
 * What hooks make is not Helm's own: a password that an upgrade leaves as it is, which each installation makes anew, and a map that
 * Helm does not replace. Their Job asks for a Secret that the owner of the platform made, and nothing else does.
 */
const hooks = `apiVersion: v1
kind: Secret
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-hooked") | nindent 2 }}
  annotations: { helm.sh/hook: pre-install }
stringData:
  token: {{ randAlphaNum 20 | quote }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-hooked") | nindent 2 }}
  annotations: { helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-failed }
data:
  installed: {{ now | quote }}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-hooked") | nindent 2 }}
  annotations: { helm.sh/hook: pre-install, helm.sh/hook-weight: "1" }
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: hook
          image: {{ include "common.image" . | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: [sh, -c, 'test "$BY_HAND" = kept']
          env: [{ name: BY_HAND, valueFrom: { secretKeyRef: { name: by-hand, key: word } } }]
`;

/** The port of a node is taken while the release runs. */
const nodePort = `apiVersion: v1
kind: Service
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-outside") | nindent 2 }}
spec:
  type: NodePort
  selector:
    {{- include "common.selectorLabels" . | nindent 4 }}
  ports: [{ name: mysql, port: 3306, nodePort: 30306 }]
`;

/** A kind that the chart brings, and an object of it: Helm installs the first before all else. */
const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: orders.e2e.example }
spec:
  group: e2e.example
  scope: Namespaced
  names: { kind: Order, plural: orders, singular: order }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`;
const ofThatKind = `apiVersion: e2e.example/v1
kind: Order
metadata:
  {{- include "common.metadata" (dict "root" .) | nindent 2 }}
spec: { paid: yes }
`;

/** A class that no provisioner has: claim and volume find each other by it. */
const byHand = 'e2e-by-hand';
const claim = `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-archive") | nindent 2 }}
spec:
  storageClassName: ${byHand}
  accessModes: [ReadWriteOnce]
  resources: { requests: { storage: 1Mi } }
`;
const volume = {
  ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: byHand } },
  spec: {
    ...{ storageClassName: byHand, persistentVolumeReclaimPolicy: 'Retain', hostPath: { path: '/tmp' } },
    ...{ capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'] },
  },
};

/** What a chart has outside of its namespace, as roles beside the servers of Kubernetes. */
const beside = 'e2e-foreign-beside';
const outside = `apiVersion: v1
kind: ConfigMap
metadata: { name: mysql-beside, namespace: ${beside} }
data: { of: {{ .Release.Name }} }
`;

/** Modes stand in octal in many charts; read as a decimal number this one is none that the API server takes. */
const octalMode = 'defaultMode: 0755';

const removeDefinition = ['delete', 'customresourcedefinition', 'orders.e2e.example', '--ignore-not-found'];

describe('a release of a chart as others write them', () => {
  let ground: Ground;
  let charts: string;

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
    await ground.kubectl(['apply', '-f', '-'], JSON.stringify(volume));
    await deleteNamespaces(ground.sandbox, [beside]);
    for (const name of [namespace, beside]) await ground.kubectl(['create', 'namespace', name]);
    await ground.kubectl(['create', 'secret', 'generic', 'by-hand', '-n', namespace, '--from-literal=word=kept']);
    await install(ground);
    await sql(
      'USE shop; CREATE TABLE orders (id INT PRIMARY KEY, note TEXT); INSERT INTO orders SELECT seq, REPEAT("x", seq) FROM seq_1_to_500',
    );
    await ground.startWorker();
  });

  afterAll(async () => {
    await ground.close();
    await deleteNamespaces(ground.sandbox, [beside]);
    await ground.kubectl(removeDefinition);
    await ground.kubectl(['delete', 'persistentvolume', byHand, '--ignore-not-found']);
    await rm(charts, { recursive: true });
  });

  it('comes back with the captured passwords, inside the database and out, and with the kind that it brings', async () => {
    const before = { passwords: await passwords(), hooked: await madeByHooks() };
    expect(before.hooked.flatMap((data) => Object.keys(data))).toEqual(['token', 'installed']);
    expect(await modeOfConfig()).toBe('493');
    const backup = await ground.run(['backup', release]);
    expect(backup.result.outcome, backup.stderr).toBe('complete');
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
    expect(await sql('SELECT COUNT(*), SUM(LENGTH(note)) FROM shop.orders')).toBe('500\t125250');
    const asApplication =
      'MYSQL_PWD="$1" exec mariadb --protocol=tcp -h 127.0.0.1 -u app -N -e "SELECT COUNT(*) FROM shop.orders"';
    const counted = await ground.kubectl(
      exec(['sh', '-c', asApplication, 'sh', decode(before.passwords['application-password'])]),
    );
    expect(counted.trim()).toBe('500');
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

    const recovered = await ground.run(['recover', release, '--yes', '--by', 'test', '--reason', 'test']);

    expect(recovered.result.outcome, recovered.stderr).toBe('complete');
    expect(await sql('SELECT COUNT(*) FROM shop.orders')).toBe('500');
    expect(await madeByHooks()).toEqual(hooked);
    const outside = ['get', 'service', 'mysql-outside', '-n', namespace, '-o', 'jsonpath={.spec.ports[0].nodePort}'];
    expect(await ground.kubectl(outside)).toBe('30306');
  });

  function exec(command: readonly string[]): string[] {
    return ['exec', '-n', namespace, 'mysql-0', '-c', 'mysql', '--', ...command];
  }

  async function sql(statement: string): Promise<string> {
    const client = 'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mariadb -u root -N -e "$1"';
    return (await ground.kubectl(exec(['sh', '-c', client, 'sh', statement]))).trim();
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
