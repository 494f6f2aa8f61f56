import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, waitUntil } from '../../sandbox/run.ts';
import { freePort } from '../../workers/free-port.ts';

/** Debian's packages of a whole Ceph with its S3 server. */
export const radosgwPackages = ['ceph-mon', 'ceph-mgr', 'ceph-osd', 'radosgw'] as const;

/** An S3 server that nobody here wrote, on a Ceph of one monitor, one manager and one disk in memory. */
export type Radosgw = {
  readonly endpoint: string;
  /** Makes a role that the user of the key may assume, and that may do everything with every bucket. @returns its ARN */
  makeRole(name: string): Promise<string>;
  stop(): Promise<void>;
};

type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };

/**
 * Starts a Ceph on the loopback and waits until its S3 server answers. One that did not start, as where somebody else took its port between
 * the choice and the use, is given up for a second one.
 */
export async function startRadosgw(key: Key): Promise<Radosgw> {
  return await startCeph(key).catch(async (error: unknown) => {
    process.stderr.write(`start radosgw once more, the first did not: ${String(error)}\n`);
    return await startCeph(key);
  });
}

async function startCeph(key: Key): Promise<Radosgw> {
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-ceph-'));
  const [monPort, s3Port] = [await freePort(), await freePort()];
  const fsid = randomUUID();
  const configuration = join(folder, 'ceph.conf');
  await writeFile(configuration, describeCeph({ folder, fsid, monPort, s3Port }));
  for (const kind of ['mon', 'mgr', 'osd', 'run', 'log']) await mkdir(join(folder, kind));
  const daemons: ChildProcess[] = [];
  const start = (program: string, ...id: readonly string[]): void => {
    daemons.push(spawn(program, ['-c', configuration, '-f', ...id], { stdio: 'ignore' }));
  };
  /** The monitor listens before it takes commands, and refuses some after it has taken the first: each may be given twice. */
  const ceph = async (...args: readonly string[]): Promise<string> => {
    let refused = '';
    return await waitUntil(
      `run ceph ${args.slice(0, 2).join(' ')}`,
      () =>
        run('ceph', ['-c', configuration, '--connect-timeout', '30', ...args]).catch((error: unknown) => {
          refused = String(error);
          return undefined;
        }),
      { timeoutMs: 60_000, detail: async () => `${refused}\n${await lastLogged(folder, 'ceph-mon')}` },
    );
  };
  const kill = (): void => {
    // the last one first: each needs those before it to end
    for (const daemon of daemons.toReversed()) daemon.kill('SIGKILL');
  };
  // a run that dies must not leave a server behind
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    const ended = daemons
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((daemon) => new Promise((resolve) => daemon.once('exit', resolve)));
    kill();
    await Promise.all(ended);
    process.off('exit', kill);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const monitors = join(folder, 'monmap');
    const address = `[v1:127.0.0.1:${String(monPort)}]`;
    await run('monmaptool', ['--create', '--fsid', fsid, '--addv', 'a', address, monitors]);
    await run('ceph-mon', ['-c', configuration, '--mkfs', '-i', 'a', '--monmap', monitors]);
    start('ceph-mon', '-i', 'a');
    start('ceph-mgr', '-i', 'x');
    const disk = randomUUID();
    const id = (await ceph('osd', 'new', disk)).trim();
    await mkdir(join(folder, 'osd', id));
    await run('ceph-osd', ['-c', configuration, '-i', id, '--mkfs', '--osd-uuid', disk]);
    start('ceph-osd', '-i', id);
    await ceph('osd', 'crush', 'add-bucket', 'local', 'host');
    await ceph('osd', 'crush', 'move', 'local', 'root=default');
    await ceph('osd', 'crush', 'add', `osd.${id}`, '1.0', 'host=local');
    start('radosgw', '-n', 'client.rgw.a');
    const endpoint = `http://127.0.0.1:${String(s3Port)}`;
    await waitUntil(
      'start radosgw',
      async () => {
        const gone = daemons.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
        if (gone !== undefined)
          throw new Error(`start radosgw: ${gone.spawnfile} ended:\n${await lastLogged(folder, gone.spawnfile)}`);
        return await fetch(endpoint).then(
          () => true,
          () => undefined,
        );
      },
      { timeoutMs: 120_000 },
    );
    const admin = async (args: readonly string[]): Promise<string> =>
      await run('radosgw-admin', ['-c', configuration, ...args]);
    await admin([
      ...['user', 'create', '--uid=lifeboat', '--display-name=lifeboat'],
      ...[`--access-key=${key.accessKeyId}`, `--secret-key=${key.secretAccessKey}`],
    ]);
    const makeRole = async (name: string): Promise<string> => {
      const policy = (statement: object): string =>
        JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });
      const trust = policy({ Principal: { AWS: ['arn:aws:iam:::user/lifeboat'] }, Action: ['sts:AssumeRole'] });
      const rights = policy({ Action: ['s3:*'], Resource: 'arn:aws:s3:::*' });
      await admin(['role', 'create', `--role-name=${name}`, `--assume-role-policy-doc=${trust}`]);
      await admin(['role-policy', 'put', `--role-name=${name}`, '--policy-name=all', `--policy-doc=${rights}`]);
      return `arn:aws:iam:::role/${name}`;
    };
    return { endpoint, makeRole, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the daemons of a program logged last; the folder goes with them. */
async function lastLogged(folder: string, program: string): Promise<string> {
  const logs = (await readdir(join(folder, 'log'))).filter((name) => name.startsWith(program.replace('ceph-', '')));
  const texts = await Promise.all(logs.map(async (name) => await readFile(join(folder, 'log', name), 'utf8')));
  return texts
    .join('\n')
    .split('\n')
    .filter((line) => !/^ *-?\d+> /.test(line))
    .slice(-40)
    .join('\n');
}

function describeCeph(of: { folder: string; fsid: string; monPort: number; s3Port: number }): string {
  const { folder, fsid, monPort, s3Port } = of;
  const settings = {
    fsid,
    mon_host: `[v1:127.0.0.1:${String(monPort)}]`,
    ms_bind_msgr2: false,
    public_addr: '127.0.0.1',
    auth_cluster_required: 'none',
    auth_service_required: 'none',
    auth_client_required: 'none',
    osd_objectstore: 'memstore',
    memstore_device_bytes: 4 * 2 ** 30,
    osd_pool_default_size: 1,
    osd_pool_default_min_size: 1,
    mon_allow_pool_size_one: true,
    osd_crush_chooseleaf_type: 0,
    osd_pool_default_pg_num: 4,
    mon_data: join(folder, 'mon', '$id'),
    mgr_data: join(folder, 'mgr', '$id'),
    osd_data: join(folder, 'osd', '$id'),
    run_dir: join(folder, 'run'),
    admin_socket: join(folder, 'run', '$name.$pid.asok'),
    log_file: join(folder, 'log', '$name.log'),
    pid_file: '',
    rgw_s3_auth_use_sts: true,
    rgw_sts_key: 'sixteen-letters!',
    rgw_frontends: `beast endpoint=127.0.0.1:${String(s3Port)}`,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${String(value)}`);
  return `[global]\n${lines.join('\n')}\n`;
}
