/** The backup methods, one line each; `registry.ts` finds them by the name that plans use. */
export { alertmanagerSilences } from './alertmanager-silences.ts';
export { execStream } from './exec-stream.ts';
export { mysqlDump } from './mysql-dump.ts';
export { pgDump } from './pg-dump.ts';
export { prometheusSnapshot } from './prometheus-snapshot.ts';
export { redisRdb } from './redis-rdb.ts';
export { releaseConfig } from './release-config.ts';
export { volumeArchive } from './volume-archive.ts';
