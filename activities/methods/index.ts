import type { MethodName } from '../../model/recovery-plan.ts';
import { execStream } from './exec-stream.ts';
import type { Method } from './method.ts';
import { mysqlDump } from './mysql-dump.ts';
import { pgDump } from './pg-dump.ts';
import { redisRdb } from './redis-rdb.ts';
import { releaseConfig } from './release-config.ts';
import { volumeArchive } from './volume-archive.ts';

/** The registry of the backup methods: one line each. A test compares it with the folder. */
export const methods = {
  'exec-stream': execStream,
  'mysql-dump': mysqlDump,
  'pg-dump': pgDump,
  'redis-rdb': redisRdb,
  'release-config': releaseConfig,
  'volume-archive': volumeArchive,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each method reads its own options by its own schema
} as const satisfies Record<MethodName, Method<any>>;
