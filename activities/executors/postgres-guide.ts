import type { BoundWorkload } from '../../model/bound-plan.ts';
import { maintenance, type PostgresServer } from './postgres-server.ts';
import { stockCommand } from './stock-command.ts';

type Role = Pick<PostgresServer, 'role'>;

/** The line of RESTORE.md for the globals; they come before the databases, which belong to their roles. */
export function globalsLine(workload: BoundWorkload | undefined, { role }: Role): string {
  const load = ['psql', '-X', '-q', '-U', role, '-d', maintenance];
  return `${stockCommand(workload, load)}   # "already exists" is expected of roles that are there`;
}

/** The line for the dump of a database: the chart may have made it, empty. */
export function databaseLine(workload: BoundWorkload | undefined, { role }: Role, name: string): string {
  const replace = ['--exit-on-error', '--clean', '--if-exists', '--create'];
  const restore = ['pg_restore', ...replace, '-U', role, '-d', maintenance];
  return `${stockCommand(workload, restore)}   # replaces the database ${name}`;
}
