import { failure, LifeboatFailure } from '../../model/failures.ts';
import { shellWords } from '../../model/shell-words.ts';
import { identifier, literal, maintenance, type PostgresServer, psql } from './postgres-server.ts';

type Tablespace = { readonly name: string; readonly statement: string; readonly location: string };

/** The tablespaces of the globals that the server lacks. */
export async function listMissingTablespaces(server: PostgresServer, globals: string): Promise<string[]> {
  return (await missing(server, globals)).map(({ name }) => name);
}

/**
 * Makes the tablespaces of the globals that are missing, each with its directory, so that a dump can put its tables there.
 * It is the server that makes the directory: a command of the pod may run as another user. Their owners have to be there.
 */
export async function makeMissingTablespaces(server: PostgresServer, globals: string): Promise<void> {
  for (const { name, statement, location } of await missing(server, globals)) {
    const makeDirectory = shellWords(['mkdir', '-p', '-m', '700', '--', location]);
    try {
      await psql(server, maintenance, `COPY (SELECT) TO PROGRAM ${literal(makeDirectory)};\n${statement}`);
    } catch (error) {
      if (!(error instanceof LifeboatFailure)) throw error;
      throw failure('RestoreFailed', {
        message: `make the tablespace ${name} of the point at ${location}, where the pod needs a volume: ${error.message}`,
        cause: error,
      });
    }
  }
}

/** Drops tablespaces; what is in them has to be gone. Their directories stay, empty. Idempotent. */
export async function dropTablespaces(server: PostgresServer, names: readonly string[]): Promise<void> {
  if (names.length > 0)
    await psql(server, maintenance, names.map((name) => `DROP TABLESPACE IF EXISTS ${identifier(name)};`).join('\n'));
}

async function missing(server: PostgresServer, globals: string): Promise<Tablespace[]> {
  const all = tablespacesOf(globals);
  if (all.length === 0) return [];
  const there = await psql(server, maintenance, 'SELECT spcname FROM pg_tablespace;');
  return all.filter(({ name }) => !there.includes(name));
}

/** As pg_dumpall writes them: `CREATE TABLESPACE fast OWNER app LOCATION '/volumes/fast';`. */
function tablespacesOf(globals: string): Tablespace[] {
  return globals.split('\n').flatMap((statement) => {
    const [, quoted, plain, location] =
      /^CREATE TABLESPACE (?:"((?:[^"]|"")+)"|(\S+)) OWNER .+ LOCATION '((?:[^']|'')*)';$/.exec(statement) ?? [];
    const name = plain ?? quoted?.replaceAll('""', '"');
    return name === undefined || location === undefined
      ? []
      : [{ name, statement, location: location.replaceAll("''", "'") }];
  });
}
