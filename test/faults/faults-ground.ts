import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore } from '../../activities/open-store.ts';
import type { SettingOptions } from '../../demo/setting.ts';
import { layout } from '../../sandbox/layout.ts';
import { smallPlatform } from '../../sandbox/platform/release.ts';
import type { Store } from '../../transfer/store.ts';
import { clusterState, postgresState } from '../e2e/as-it-was.ts';
import { type Ground, openGround } from '../e2e/ground.ts';
import { heldLocks } from '../e2e/left-runs.ts';

/** What `kubectl-with-faults.sh` can do. */
export type FaultName =
  | 'none'
  | 'dump tool missing'
  | 'dump killed half way'
  | 'streams cut cleanly'
  | 'restore cut cleanly'
  | 'row lost after the restore'
  | 'key lost after the restore'
  | 'key lost after every restore';

/** A ground whose kubectl can be made to fail, on a platform and in a namespace of Temporal of its own. */
export type FaultsGround = Ground & {
  /** Has a worker with this environment run; one that runs already is kept. */
  useWorker(env?: Readonly<Record<string, string>>): Promise<void>;
  /** From now on every call of kubectl by the worker has this fault. */
  inject(fault: FaultName): Promise<void>;
  readonly store: Store;
  /** File of an object in the directory of the S3 server. */
  objectFile(key: string): string;
  /** Keys of what belongs to recovery points; runs and verifications may be added by a failed run. */
  storedKeys(): Promise<string[]>;
  /** Everything that a failed run must leave as it was. */
  state(): Promise<State>;
  /** Runs SQL in the database of the shop. */
  psql(sql: string): Promise<string>;
  /** Runs a command in the Redis pod with its password. */
  redis(args: readonly string[]): Promise<string>;
};

export type State = {
  readonly cluster: string[];
  readonly postgresql: string[];
  readonly redis: string[];
  readonly store: string[];
  readonly locks: string[];
};

/** Opens the ground and starts its worker. */
export async function openFaultsGround(name: string, options: Partial<SettingOptions> = {}): Promise<FaultsGround> {
  const releases = smallPlatform(`faults-${name}`);
  const opened = await openGround(`faults-${name}`, {
    bucket: `faults-${name}-${String(Date.now())}`,
    temporalNamespace: `faults-${name}`,
    releases,
    ...options,
  });
  const faultFile = join(opened.setting.directory, 'fault');
  await writeFile(faultFile, 'none');
  const env = {
    LIFEBOAT_KUBECTL: join(import.meta.dirname, 'kubectl-with-faults.sh'),
    KUBECTL_WITHOUT_FAULTS: opened.sandbox.tools.kubectl,
    FAULT_FILE: faultFile,
  };
  const ground: Ground = { ...opened, startWorker: async (more = {}) => await opened.startWorker({ ...env, ...more }) };
  const { kit } = ground.setting;
  const { accessKeyId, secretAccessKey } = ground.sandbox.s3;
  // The endpoint of the kit, which no proxy is before.
  const store = await openStore(
    { ...kit.store, endpoint: ground.sandbox.s3.endpoint },
    { accessKeyId, secretAccessKey },
  );
  const bucket = new URL(kit.store.url);
  const redis = async (args: readonly string[]): Promise<string> =>
    (
      await ground.kubectl([
        'exec',
        '-n',
        ground.namespace,
        'redis-0',
        '-c',
        'redis',
        '--',
        'sh',
        '-c',
        'REDISCLI_AUTH=$REDIS_PASSWORD exec redis-cli --no-auth-warning "$@"',
        'sh',
        ...args,
      ])
    ).trim();
  const storedKeys = async (): Promise<string[]> => {
    const keys = (await store.listOpenUploads('')).map((key) => `open upload ${key}`);
    for (const folder of ['points/', 'manifests/', 'platforms/'])
      for await (const { key } of store.list(folder)) keys.push(key);
    return keys.sort();
  };
  let runs: string | undefined;
  const useWorker = async (more: Readonly<Record<string, string>> = {}): Promise<void> => {
    if (runs === JSON.stringify(more)) return;
    runs = undefined;
    await ground.startWorker(more);
    runs = JSON.stringify(more);
  };
  await useWorker();
  return {
    ...ground,
    useWorker,
    inject: async (fault) => {
      await writeFile(faultFile, fault);
    },
    store,
    objectFile: (key) => join(layout(ground.sandbox.directory).store, bucket.hostname, bucket.pathname, key),
    storedKeys,
    psql: async (sql) => await runSql(ground, 'shop', sql),
    redis,
    state: async () => {
      const [cluster, postgresql, keys, redisKeys, locks] = await Promise.all([
        clusterState(ground),
        ground.names.postgresql === ''
          ? []
          : Promise.all([postgresState(ground), serverState(ground)]).then((all) => all.flat()),
        storedKeys(),
        Promise.all([
          redis(['DBSIZE']),
          redis(['-n', '1', 'DBSIZE']),
          redis(['GET', 'page:7']),
          redis(['ROLE']).then((role) => role.split('\n')[0] ?? ''),
        ]),
        heldLocks(ground.sandbox, [ground.namespace]).then((held) => held.map(({ lock }) => lock)),
      ]);
      return { cluster, postgresql, store: keys, redis: redisKeys, locks };
    },
  };
}

/** That the server did not restart, and that nobody is left who dumps or restores. */
async function serverState(ground: Ground): Promise<string[]> {
  const sql = `SELECT 'up since ' || pg_postmaster_start_time() UNION ALL SELECT application_name || ' is left' FROM pg_stat_activity WHERE application_name IN ('pg_dump', 'pg_restore')
UNION ALL SELECT 'analyst ' || rolconnlimit FROM pg_roles WHERE rolname = 'analyst'`;
  return (await runSql(ground, 'template1', sql)).split('\n');
}

async function runSql(ground: Ground, database: string, sql: string): Promise<string> {
  const pod = ['exec', '-n', ground.namespace, 'postgresql-0', '-c', 'postgresql'];
  return (await ground.kubectl([...pod, '--', 'psql', '-XAtq', '-U', 'postgres', '-d', database, '-c', sql])).trim();
}
