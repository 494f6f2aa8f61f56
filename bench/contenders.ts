import { join } from 'node:path';
import nodeStart from '../bin/node-start.json' with { type: 'json' };

/** Where the contenders find their data and their server. */
export type Ground = {
  readonly directory: string;
  /** Where the server keeps its buckets. */
  readonly buckets: string;
  readonly data: string;
  readonly node: string;
  readonly env: Readonly<Record<string, string>>;
};

/** One way to do a thing, as a script of bash; `before` is run first and not measured. */
export type Contender = {
  readonly what: 'backup' | 'restore' | 'verify';
  readonly name: string;
  readonly script: string;
  readonly before?: string;
};

/** rclone against an S3 server that `rcloneEnv` names as the remote `s`. */
export const rclone = 'rclone --s3-no-check-bucket --s3-chunk-size 8M --log-level ERROR';

/** What rclone has to know of a server. */
export function rcloneEnv(of: {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}): Record<string, string> {
  return {
    RCLONE_CONFIG_S_TYPE: 's3',
    RCLONE_CONFIG_S_PROVIDER: 'Other',
    RCLONE_CONFIG_S_ENDPOINT: of.endpoint,
    RCLONE_CONFIG_S_ACCESS_KEY_ID: of.accessKeyId,
    RCLONE_CONFIG_S_SECRET_ACCESS_KEY: of.secretAccessKey,
  };
}

/** The data path as a process, started as the command is. */
export function lifeboatCommand(node: string): string {
  const env = Object.entries(nodeStart.env).map(([name, value]) => `${name}=${value}`);
  return ['env', ...env, node, ...nodeStart.flags, join(import.meta.dirname, 'lifeboat.ts')].join(' ');
}

/** What the scripts of all contenders are made of. */
function partsOf({ directory, buckets, node, env }: Ground) {
  const { BENCH_RECIPIENT = '', BENCH_ESCROW = '', BENCH_ENDPOINT = '', BENCH_BUCKET = '', BENCH_RESTIC = '' } = env;
  const repository = (name: string): string => `-q -r s3:${BENCH_ENDPOINT}/${BENCH_BUCKET}/${name}`;
  const restics = [
    { restic: `${BENCH_RESTIC} ${repository('restic')}`, name: 'restic', folder: 'restic' },
    { restic: `restic ${repository('restic-debian')}`, name: "Debian's restic", folder: 'restic-debian' },
  ].map(({ folder, ...of }) => ({
    ...of,
    fresh: `rm -rf ${buckets}/${BENCH_BUCKET}/${folder} ${directory}/restic-cache; ${of.restic} init >/dev/null`,
  }));
  return {
    age: `age -r ${BENCH_RECIPIENT} -r ${BENCH_ESCROW}`,
    restics,
    lifeboat: lifeboatCommand(node),
    record: join(directory, 'record.json'),
  };
}

/** Everything that takes its turn in a round with one stream, backups before what reads them. */
export function streamContenders(ground: Ground): readonly Contender[] {
  const { directory, data } = ground;
  const { age, restics, lifeboat, record } = partsOf(ground);
  return [
    { what: 'backup', name: 'cat | zstd -1 -T2 | cat', script: `cat ${data} | zstd -q -1 -T2 -c | cat >/dev/null` },
    {
      what: 'backup',
      name: 'zstd | age | rclone rcat',
      script: `cat ${data} | zstd -q -1 -T2 -c | ${age} | ${rclone} rcat s:bench/shell`,
    },
    { what: 'backup', name: 'rclone rcat', script: `cat ${data} | ${rclone} rcat s:bench/plain` },
    ...restics.map(
      ({ restic, name, fresh }): Contender => ({
        ...{ what: 'backup', name: `${name} backup --stdin`, before: fresh },
        script: `cat ${data} | ${restic} backup --stdin`,
      }),
    ),
    { what: 'backup', name: 'Lifeboat', script: `cat ${data} | ${lifeboat} backup ${record}` },
    {
      what: 'restore',
      name: 'rclone cat | age -d | zstd -dc',
      script: `${rclone} cat s:bench/shell | age -d -i ${directory}/identity | zstd -q -dc | cat >/dev/null`,
    },
    ...restics.map(
      ({ restic, name }): Contender => ({
        ...{ what: 'restore', name: `${name} dump` },
        script: `${restic} dump latest stdin | cat >/dev/null`,
      }),
    ),
    { what: 'restore', name: 'Lifeboat', script: `${lifeboat} restore ${record} | cat >/dev/null` },
    ...restics.map(
      ({ restic, name }): Contender => ({
        ...{ what: 'verify', name: `${name} check --read-data` },
        script: `${restic} check --read-data >/dev/null`,
      }),
    ),
    { what: 'verify', name: 'Lifeboat', script: `${lifeboat} verify ${record}` },
  ];
}

/** As `streamContenders`, with a tree of files. What is restored is written to the disk of the bench. */
export function treeContenders(ground: Ground): readonly Contender[] {
  const { directory, data } = ground;
  const { age, restics, lifeboat, record } = partsOf(ground);
  const tar = `tar -C ${data} -cf - .`;
  const target = join(directory, 'restored');
  const before = `rm -rf ${target}; mkdir ${target}`;
  return [
    { what: 'backup', name: 'tar | zstd -1 -T2', script: `${tar} | zstd -q -1 -T2 -c | cat >/dev/null` },
    {
      what: 'backup',
      name: 'tar | zstd | age | rclone rcat',
      script: `${tar} | zstd -q -1 -T2 -c | ${age} | ${rclone} rcat s:bench/shell-files`,
    },
    ...restics.map(
      ({ restic, name, fresh }): Contender => ({
        ...{ what: 'backup', name: `${name} backup`, before: fresh },
        script: `${restic} backup ${data}`,
      }),
    ),
    { what: 'backup', name: 'Lifeboat', script: `${lifeboat} archive ${record} ${data}` },
    {
      ...{ what: 'restore', name: 'rclone cat | age -d | zstd -dc | tar -x', before },
      script: `${rclone} cat s:bench/shell-files | age -d -i ${directory}/identity | zstd -q -dc | tar -C ${target} -xpf -`,
    },
    ...restics.map(
      ({ restic, name }): Contender => ({
        ...{ what: 'restore', name: `${name} restore`, before },
        script: `${restic} restore latest --target ${target} >/dev/null`,
      }),
    ),
    { what: 'restore', name: 'Lifeboat, compared', before, script: `${lifeboat} extract ${record} ${target}` },
  ];
}
