import { maintenance, type PostgresServer, psql } from './postgres-server.ts';

/** Databases of a server that are captured, and notes on those that cannot be. `claimed` belong to other releases. */
export async function listDatabases(
  server: PostgresServer,
  claimed: readonly string[],
): Promise<{ names: string[]; notes: string[] }> {
  const listed = await psql(
    server,
    maintenance,
    `SELECT datname, datallowconn AND NOT datistemplate FROM pg_database WHERE datname NOT IN ('template0', 'template1') AND datname !~ '^lifeboat_[0-9a-f]{10}_[0-9a-f]{10}$' AND datname !~ '__before_[0-9a-f]{10}$' ORDER BY 1;`,
  );
  const databases = listed.map((line) => line.split('\t')).filter(([name = '']) => !claimed.includes(name));
  const left = databases.filter(([, open]) => open !== 't').map(([name = '']) => name);
  return {
    names: databases.filter(([, open]) => open === 't').map(([name = '']) => name),
    notes:
      left.length === 0
        ? []
        : [`${String(left.length)} databases that are templates or allow no connection are not captured`],
  };
}

/** A name as one segment of a path of facts; the SQL of the facts does the same. */
export function factSegment(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

/** A name as part of the name of a stream, which becomes a key in the store. */
export function streamName(name: string): string {
  return encodeURIComponent(name).replaceAll("'", '%27');
}
