import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import type { Ground } from './ground.ts';

/**
 * What must be equal before and after a failed or cancelled run: replica counts, Service selectors, annotations of ours,
 * Helm's revision and status, the list of objects. Lines, sorted, so that a difference reads well.
 */
export async function clusterState(
  ground: Ground,
  namespaces: readonly string[] = [ground.namespace],
): Promise<string[]> {
  const lines: string[] = [];
  for (const namespace of namespaces) {
    const text = await ground.kubectl([
      'get',
      'statefulsets,deployments,services,secrets,configmaps,persistentvolumeclaims',
      '-n',
      namespace,
      '-o',
      'json',
    ]);
    const { items } = JSON.parse(text) as { items: Item[] };
    for (const { kind, metadata, spec, type } of items) {
      // A new revision of Helm is judged by its own line below.
      if (type === 'helm.sh/release.v1') continue;
      const name = `${namespace} ${kind}/${metadata.name}`;
      lines.push(name);
      if (spec?.replicas !== undefined) lines.push(`${name} replicas ${String(spec.replicas)}`);
      if (kind === 'Service')
        lines.push(
          `${name} selector ${JSON.stringify(spec?.selector ?? {}, Object.keys(spec?.selector ?? {}).sort())}`,
        );
      for (const key of Object.keys(metadata.annotations ?? {}))
        if (key.startsWith('lifeboat.dev/')) lines.push(`${name} annotation ${key}`);
    }
    const helpers = JSON.parse(
      await ground.kubectl(['get', 'pods', '-n', namespace, '-l', 'lifeboat.dev/run', '-o', 'json']),
    ) as { items: Item[] };
    for (const pod of helpers.items) lines.push(`${namespace} helper pod ${pod.metadata.name}`);
    const { sandbox } = ground;
    const { stdout } = await promisify(execFile)(sandbox.tools.helm, [
      ...['list', '-n', namespace, '-o', 'json'],
      ...helmClusterArgs(sandbox),
    ]);
    for (const release of JSON.parse(stdout) as { name: string; status: string; chart: string }[])
      lines.push(`${namespace} helm ${release.name} ${release.chart} ${release.status}`);
  }
  return lines.sort();
}

type Item = {
  kind: string;
  type?: string;
  metadata: { name: string; annotations?: Record<string, string> };
  spec?: { replicas?: number; selector?: Record<string, string> };
};

/** The databases of the PostgreSQL release, scratch ones included, and the rows of one table. */
export async function postgresState(ground: Ground): Promise<string[]> {
  const query = async (database: string, sql: string): Promise<string> =>
    await ground.kubectl([
      'exec',
      '-n',
      ground.namespace,
      'postgresql-0',
      '-c',
      'postgresql',
      '--',
      'psql',
      '-XAtq',
      '-U',
      'postgres',
      '-d',
      database,
      '-c',
      sql,
    ]);
  const databases = await query('template1', 'SELECT datname FROM pg_database ORDER BY 1');
  const orders = await query('shop', "SELECT count(*) || ' orders, sum ' || sum(total) FROM sales.orders");
  return [...databases.trim().split('\n'), orders.trim()];
}
