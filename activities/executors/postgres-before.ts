import { z } from 'zod';
import { compareFacts, describeDifferences, Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import {
  createScratch,
  DatabaseSettings,
  dropRestored,
  exchangeDatabase,
  readDatabaseSettings,
  scratchName,
  undoExchange,
} from './postgres-exchange.ts';
import { readServer, withoutOtherRoles } from './postgres-facts.ts';
import { dropUnneededRoles, dumpGlobals, restoreGlobals, rolesOf } from './postgres-roles.ts';
import { maintenance, type PostgresServer, psql } from './postgres-server.ts';
import { dropTablespaces, listMissingTablespaces } from './postgres-tablespaces.ts';

/** What a restore changes of a server beside what is in its databases. The globals hold verifiers of passwords. */
export const ServerBefore = z.strictObject({
  globals: z.string(),
  facts: Facts,
  /** Of the databases that were there. */
  databases: z.array(DatabaseSettings),
  /** Roles that the restore brings. */
  newRoles: z.array(z.string()),
  /** Tablespaces that it brings. */
  newTablespaces: z.array(z.string()).default([]),
});
export type ServerBefore = z.infer<typeof ServerBefore>;

/** Reads a server before a restore of these databases and of what was captured of the server. */
export async function readServerBefore(
  server: PostgresServer,
  names: readonly string[],
  captured: { readonly globals: string; readonly facts: Facts },
): Promise<ServerBefore> {
  const globals = await dumpGlobals(server);
  const facts = await readServer(server, names);
  const databases = await readDatabaseSettings(server, names);
  const roles = rolesOf(facts);
  const newRoles = rolesOf(captured.facts).filter((role) => !roles.includes(role));
  return {
    globals,
    facts,
    databases,
    newRoles,
    newTablespaces: await listMissingTablespaces(server, captured.globals),
  };
}

/**
 * Puts a server back as it was: databases that were replaced, those that were empty made anew and those that were not
 * there dropped; then roles and tablespaces. A role that the restore brought stays where something has come to need it. Idempotent.
 * @throws FactsDiffer where roles or databases are not as they were; RestoreFailed naming roles that stay
 */
export async function putServerBack(server: PostgresServer, generation: string, before: ServerBefore): Promise<void> {
  await undoExchange(server, generation);
  await dropRestored(server, generation);
  const there = await listNames(server);
  for (const settings of before.databases.filter(({ name }) => !there.includes(name))) {
    const empty = { settings, scratch: scratchName(generation, settings.name) };
    await createScratch(server, empty);
    await exchangeDatabase(server, empty, `${generation}-undo`, new Date().toISOString());
  }
  await restoreGlobals(server, before.globals, before.facts, false);
  await dropTablespaces(server, before.newTablespaces);
  const left = await dropUnneededRoles(server, before.newRoles);
  const names = before.databases.map(({ name }) => name);
  const now = withoutOtherRoles(await readServer(server, names), before.facts);
  const comparison = compareFacts(before.facts, now, []);
  if (!comparison.equal)
    throw failure('FactsDiffer', {
      message: `compare roles and databases with what was before the restore: ${describeDifferences(comparison)}`,
      changed: 'yes',
    });
  if (left.length > 0)
    throw failure('RestoreFailed', {
      message: `drop the roles that the restore brought: something depends on ${left.join(', ')}`,
      changed: 'yes',
    });
}

async function listNames(server: PostgresServer): Promise<string[]> {
  return await psql(server, maintenance, 'SELECT datname FROM pg_database;');
}
