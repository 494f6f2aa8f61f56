import { type Ask, identifier, literal, rows } from './mysql.ts';

/**
 * Views as SQL that can be run again. Each is made twice: first as a stand-in with its columns, so that views may need
 * each other in any order and across schemas, then as it is.
 */
export async function renderViews(
  ask: Ask,
  views: readonly (readonly [schema: string, name: string])[],
): Promise<string> {
  const standIns: string[] = [];
  const real: string[] = [];
  for (const [schema, name] of views) {
    const columns = rows(
      await ask(
        `SELECT column_name FROM information_schema.columns WHERE table_schema = ${literal(schema)} AND table_name = ${literal(name)} ORDER BY ordinal_position;`,
      ),
    );
    standIns.push(
      `CREATE OR REPLACE VIEW ${identifier(schema, name)} AS SELECT ${columns.map(([column = '']) => `1 AS ${identifier(column)}`).join(', ')};`,
    );
    const [, definition = '', client = 'utf8mb4', collation = 'utf8mb4_general_ci'] =
      rows(await ask(`USE ${identifier(schema)}; SHOW CREATE VIEW ${identifier(name)};`))[0] ?? [];
    // text beyond ASCII arrives in utf8mb4, whatever the client's was that made the view

    const charset = /^[\u0000-\u007f]*$/.test(definition) ? client : 'utf8mb4';
    real.push(
      `USE ${identifier(schema)};`,
      `SET character_set_client = ${charset}, collation_connection = ${collation};`,
      `${definition.replace(/^CREATE (?=ALGORITHM|DEFINER|SQL|VIEW)/, 'CREATE OR REPLACE ')};`,
    );
  }
  return ['SET NAMES utf8mb4;', "SET sql_mode = '';", ...standIns, ...real, '-- Views completed', ''].join('\n');
}

/** Views of schemas, by schema and name. */
export async function listViews(ask: Ask, names: readonly string[]): Promise<(readonly [string, string])[]> {
  const listed = rows(
    await ask(
      `SELECT table_schema, table_name FROM information_schema.views WHERE table_schema IN (${names.map(literal).join(', ')}) ORDER BY 1, 2;`,
    ),
  );
  return listed.map(([schema = '', name = '']) => [schema, name] as const);
}
