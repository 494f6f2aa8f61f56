import type { Facts } from '../../model/facts.ts';
import {
  databaseFactsSql,
  databaseObjectFactsSql,
  parseFactLines,
  roleFactsSql,
  sequenceFactsSql,
} from '../facts/postgresql.ts';
import { factSegment } from './postgres-databases.ts';
import { literal, maintenance, type PostgresServer, psql } from './postgres-server.ts';

/**
 * The facts of what is in a database, under the name that it is shown with.
 * @param first - SQL without output that is run before, on the same connection
 */
export async function readDatabase(server: PostgresServer, actual: string, shown: string, first = ''): Promise<Facts> {
  const lines = await psql(server, actual, `${first}\n${sequenceFactsSql}\n${databaseFactsSql}`);
  return parseFactLines(lines, `db/${factSegment(shown)}/`);
}

/** The facts of roles, and of databases as objects of the server; one that is not there has none. */
export async function readServer(server: PostgresServer, names: readonly string[]): Promise<Facts> {
  const literals = names.map((name) => ({ shown: literal(name), actual: literal(name) }));
  const databases = literals.length === 0 ? '' : databaseObjectFactsSql(literals);
  return parseFactLines(await psql(server, maintenance, `${roleFactsSql(literal(server.role))}${databases}`), '');
}

/** The facts without those of roles that `known` has not, and of what these are members of. */
export function withoutOtherRoles(facts: Facts, known: Facts): Facts {
  const isKnown = (path: string): boolean => {
    const role = /^(?:role|member)\/([^/]+)/.exec(path)?.[1];
    return role === undefined || Object.hasOwn(known, `role/${role}`);
  };
  return Object.fromEntries(Object.entries(facts).filter(([path]) => isKnown(path)));
}
