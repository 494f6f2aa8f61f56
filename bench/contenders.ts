import { join } from 'node:path';

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

/** Everything that takes its turn in a round, backups before what reads them. */
export function contenders({ directory, buckets, data, node, env }: Ground): readonly Contender[] {
  const recipients = `-r ${env['BENCH_RECIPIENT'] ?? ''} -r ${env['BENCH_ESCROW'] ?? ''}`;
  const restic = `restic -q -r s3:${env['BENCH_ENDPOINT'] ?? ''}/${env['BENCH_BUCKET'] ?? ''}/restic`;
  const lifeboat = `${node} ${join(import.meta.dirname, 'lifeboat.ts')}`;
  const record = join(directory, 'record.json');
  const fresh = `rm -rf ${buckets}/${env['BENCH_BUCKET'] ?? ''}/restic ${directory}/restic-cache; ${restic} init >/dev/null`;
  return [
    { what: 'backup', name: 'cat | zstd -1 -T2 | cat', script: `cat ${data} | zstd -q -1 -T2 -c | cat >/dev/null` },
    {
      what: 'backup',
      name: 'zstd | age | rclone rcat',
      script: `cat ${data} | zstd -q -1 -T2 -c | age ${recipients} | ${rclone} rcat s:bench/shell`,
    },
    { what: 'backup', name: 'rclone rcat', script: `cat ${data} | ${rclone} rcat s:bench/plain` },
    { what: 'backup', name: 'restic backup --stdin', before: fresh, script: `cat ${data} | ${restic} backup --stdin` },
    { what: 'backup', name: 'Lifeboat', script: `cat ${data} | ${lifeboat} backup ${record}` },
    {
      what: 'restore',
      name: 'rclone cat | age -d | zstd -dc',
      script: `${rclone} cat s:bench/shell | age -d -i ${directory}/identity | zstd -q -dc | cat >/dev/null`,
    },
    { what: 'restore', name: 'restic dump', script: `${restic} dump latest stdin | cat >/dev/null` },
    { what: 'restore', name: 'Lifeboat', script: `${lifeboat} restore ${record} | cat >/dev/null` },
    { what: 'verify', name: 'restic check --read-data', script: `${restic} check --read-data >/dev/null` },
    { what: 'verify', name: 'Lifeboat', script: `${lifeboat} verify ${record}` },
  ];
}
