import { setTimeout as sleep } from 'node:timers/promises';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import { type Ask, pinnedSession, rows } from '../facts/mysql.ts';
import { type MysqlServer, openMysqlSession } from './mysql-server.ts';
import type { PodSession } from './pod-session.ts';

/** How long the read lock may be waited for, and how long the dump may take to open its snapshot under it. */
const lockSeconds = 10;

/** The instant by the server's clock. */
export async function readServerClock(ask: Ask): Promise<string> {
  const [now = ''] = await ask("SELECT CONCAT(LEFT(DATE_FORMAT(UTC_TIMESTAMP(3), '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z');");
  return now;
}

/**
 * Opens two snapshots of one instant: that of the session `ask`, and that of a dump. A third session holds a read lock
 * from before the first is opened until both are seen: that the dump's transaction has begun is told by its own report
 * that it reads the first structure, which it does inside it, and by INNODB_TRX.
 * Whatever happens, the lock is given back: by UNLOCK TABLES, by the end of its session, or by the server after 30 s.
 * @param startDump - starts the dump with `--verbose`; `onLine` sees its stderr. Resolves when the dump is stored
 * @returns the instant, and the promise of the stored dump. @throws DumpStalled
 */
export async function openSnapshots<Stored>(
  server: MysqlServer,
  ask: Ask,
  startDump: (onLine: (line: string) => boolean) => Promise<Stored>,
): Promise<{ capturedAt: string; stored: Promise<Stored> }> {
  const lock = openMysqlSession(server);
  try {
    await readLock(lock);
    await ask('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT;');
    const capturedAt = await readServerClock(ask);
    const dump = { begun: false, ended: false };
    const stored = startDump((line) => {
      if (/^-- Retrieving (table|sequence) structure/.test(line)) dump.begun = true;
      if (/^-- Disconnecting /.test(line)) dump.ended = true;
      return line.startsWith('-- ');
    });
    stored.catch(() => {
      dump.ended = true;
    });
    await bothAreOpen(ask, dump);
    await lock.ask('UNLOCK TABLES;');
    return { capturedAt, stored };
  } finally {
    await lock.close();
  }
}

async function readLock(lock: PodSession): Promise<void> {
  try {
    await lock.ask(
      `${pinnedSession}\nSET SESSION lock_wait_timeout = ${String(lockSeconds)}, wait_timeout = ${String(3 * lockSeconds)}; FLUSH TABLES WITH READ LOCK;`,
    );
  } catch (error) {
    if (error instanceof LifeboatFailure && /Lock wait timeout/.test(error.message)) {
      throw failure('DumpStalled', {
        message: `lock tables: no read lock within ${String(lockSeconds)} s, a statement or transaction holds them`,
        cause: error,
      });
    }
    throw error;
  }
}

/** A dump that has ended ran under the lock as a whole; that it ended well is for whoever stores it. */
async function bothAreOpen(ask: Ask, dump: { readonly begun: boolean; readonly ended: boolean }): Promise<void> {
  const deadline = Date.now() + lockSeconds * 1_000;
  const open = `SELECT COALESCE(SUM(trx_mysql_thread_id = CONNECTION_ID()), 0), COALESCE(SUM(trx_mysql_thread_id > CONNECTION_ID() AND trx_isolation_level = 'REPEATABLE READ'), 0) FROM information_schema.innodb_trx;`;
  while (Date.now() < deadline) {
    const [own, later] = rows(await ask(open))[0] ?? [];
    if (dump.ended || (dump.begun && Number(own) > 0 && Number(later) > 0)) return;
    await sleep(50);
  }
  throw failure('DumpStalled', { message: `open snapshots: the dump did not begin within ${String(lockSeconds)} s` });
}
