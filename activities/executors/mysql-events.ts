import type { Facts } from '../../model/facts.ts';
import { withMysqlSession } from './mysql-exchange.ts';
import type { MysqlServer } from './mysql-server.ts';

/** Whether restored events would run at once: the server has its scheduler on, and there are some. */
export async function eventsWouldRun(server: MysqlServer, captured: Facts): Promise<boolean> {
  if (!Object.keys(captured).some((path) => /^db\/[^/]+\/event\//.test(path))) return false;
  const [state] = await withMysqlSession(server, async (ask) => await ask('SELECT @@GLOBAL.event_scheduler;'));
  return state === 'ON';
}

/** Turns the scheduler of events on or off. It is off from the exchange until the facts have been read: an event changes rows. */
export async function switchEvents(server: MysqlServer, to: 'ON' | 'OFF'): Promise<void> {
  await withMysqlSession(server, async (ask) => await ask(`SET GLOBAL event_scheduler = ${to};`));
}
