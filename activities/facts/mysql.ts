import { createHash } from 'node:crypto';
import type { Facts, FactTotals } from '../../model/facts.ts';
import { fromPathSegment, pathSegment } from './path-segment.ts';

/** Runs SQL in one session and returns the lines that the client prints in batch mode. */
export type Ask = (sql: string) => Promise<string[]>;

/** A schema as facts call it, and as the server calls it now: a scratch schema holds another one's tables. */
export type NamedSchema = { readonly shown: string; readonly actual: string };

/**
 * Settings under which values become text, whatever the server's and the account's own are. Comments with a version are
 * for one of the two servers: MariaDB reads `M!`, and of the others not those from 50700 to 99999.
 */
export const pinnedSession = `SET NAMES utf8mb4; SET SESSION sql_mode = '', time_zone = '+00:00', group_concat_max_len = 4294967295, wait_timeout = 604800, div_precision_increment = 4, sql_quote_show_create = 1;
/*M! SET SESSION max_statement_time = 0 */; /*!80000 SET SESSION max_execution_time = 0 */; /*!80000 SET SESSION information_schema_stats_expiry = 0 */;`;

/** A string, safe under the pinned sql_mode. */
export function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** A quoted name. */
export function identifier(...names: readonly string[]): string {
  return names.map((name) => `\`${name.replaceAll('`', '``')}\``).join('.');
}

/** A field of the client's batch mode as the text that it stands for. */
export function unescapeField(field: string): string {
  return field.replace(
    /\\([tn0\\])/g,
    (_, code: string) => ({ t: '\t', n: '\n', '0': '\0', '\\': '\\' })[code] ?? code,
  );
}

/** Rows of the client's batch mode. */
export function rows(lines: readonly string[]): string[][] {
  return lines.map((line) => line.split('\t').map(unescapeField));
}

const spatial = new Set([
  'geometry',
  'point',
  'linestring',
  'polygon',
  'multipoint',
  'multilinestring',
  'multipolygon',
  'geometrycollection',
  'geomcollection',
]);
const asText = new Set([
  'tinyint',
  'smallint',
  'mediumint',
  'int',
  'bigint',
  'decimal',
  'float',
  'double',
  'year',
  'date',
  'datetime',
  'timestamp',
  'time',
]);

/** A column as text without separators inside, so that no two rows have one text; `-` is NULL, which no value is. */
function columnText(name: string, type: string): string {
  const column = identifier(name);
  if (asText.has(type)) return `COALESCE(CAST(${column} AS CHAR), '-')`;
  if (type === 'bit' || spatial.has(type))
    return `COALESCE(${type === 'bit' ? `HEX(${column})` : `MD5(HEX(${column}))`}, '-')`;
  return `COALESCE(MD5(${column}), '-')`;
}

type Table = {
  readonly name: string;
  readonly versioned: boolean;
  readonly columns: readonly { name: string; type: string }[];
  readonly counter: string | undefined;
};

/** Rows and an order-free digest: count and the sums of both halves of the MD5 of each row. Values go in raw bytes. */
function rowFactsSql(schema: NamedSchema, table: Table): string {
  const row = `MD5(CONCAT_WS('|', ${table.columns.map(({ name, type }) => columnText(name, type)).join(', ')}))`;
  const half = (part: string): string => `COALESCE(SUM(CAST(CONV(${part}(h, 16), 16, 10) AS DECIMAL(20, 0))), 0)`;
  const path = tablePath(schema, table.name);
  const sql = `SELECT ${literal(path)}, COUNT(*), ${half('LEFT')}, ${half('RIGHT')} FROM (SELECT ${row} AS h FROM ${identifier(schema.actual, table.name)}) x;`;
  if (table.counter === undefined) return sql;
  const next = `SELECT auto_increment FROM information_schema.tables WHERE table_schema = ${literal(schema.actual)} AND table_name = ${literal(table.name)}`;
  return `${sql}\nSELECT ${literal(`${path}/covers`)}, COALESCE((${next}), 1) > COALESCE(MAX(${identifier(table.counter)}), 0) FROM ${identifier(schema.actual, table.name)};`;
}

function tablePath(schema: NamedSchema, table: string): string {
  return `db/${pathSegment(schema.shown)}/table/${pathSegment(table)}`;
}

async function readTables(ask: Ask, schema: NamedSchema): Promise<Table[]> {
  const tables = new Map<
    string,
    { name: string; versioned: boolean; columns: { name: string; type: string }[]; counter: string | undefined }
  >();
  const listed = await ask(
    `SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = ${literal(schema.actual)} AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_name;`,
  );
  for (const [name = '', type] of rows(listed))
    tables.set(name, { name, versioned: type === 'SYSTEM VERSIONED', columns: [], counter: undefined });
  const columns = await ask(
    `SELECT table_name, column_name, data_type, extra FROM information_schema.columns WHERE table_schema = ${literal(schema.actual)} AND COALESCE(generation_expression, '') NOT IN ('ROW START', 'ROW END') ORDER BY table_name, ordinal_position;`,
  );
  for (const [name = '', column = '', type = '', extra = ''] of rows(columns)) {
    const table = tables.get(name);
    table?.columns.push({ name: column, type: type.toLowerCase() });
    if (table !== undefined && /auto_increment/i.test(extra)) table.counter = column;
  }
  return [...tables.values()];
}

/** Facts of the rows of every table, in the snapshot of the session. */
export async function readRowFacts(ask: Ask, schemas: readonly NamedSchema[]): Promise<Facts> {
  const facts: Facts = {};
  for (const schema of schemas) {
    for (const table of await readTables(ask, schema)) {
      for (const [path = '', ...values] of rows(await ask(rowFactsSql(schema, table)))) {
        if (path.endsWith('/covers')) facts[path] = Number(values[0]);
        else
          Object.assign(facts, {
            [`${path}/rows`]: Number(values[0]),
            [`${path}/digest`]: `${values[1] ?? ''}:${values[2] ?? ''}`,
          });
      }
    }
  }
  return facts;
}

/** Facts of the definitions of tables and sequences: what is in the schema before its programs are. */
export async function readTableFacts(ask: Ask, schemas: readonly NamedSchema[]): Promise<Facts> {
  const facts: Facts = {};
  for (const schema of schemas) {
    const listed = await ask(
      `SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = ${literal(schema.actual)} AND table_type <> 'VIEW' ORDER BY table_name;`,
    );
    for (const [name = '', type] of rows(listed)) {
      const isSequence = type === 'SEQUENCE';
      const said = await ask(`SHOW CREATE ${isSequence ? 'SEQUENCE' : 'TABLE'} ${identifier(schema.actual, name)};`);
      const path = isSequence
        ? `db/${pathSegment(schema.shown)}/sequence/${pathSegment(name)}`
        : tablePath(schema, name);
      facts[`${path}/definition`] = digest(
        schemas.reduce(shownReference, said.join('\n').replace(/ AUTO_INCREMENT=[0-9]+/, '')),
      );
    }
  }
  return facts;
}

/** A foreign key into another scratch schema leads, as shown, to the schema that it stands for. */
function shownReference(definition: string, { shown, actual }: NamedSchema): string {
  return definition.replaceAll(` REFERENCES ${identifier(actual)}.`, ` REFERENCES ${identifier(shown)}.`);
}

const digestOf = (...columns: readonly string[]): string =>
  `MD5(CONCAT_WS('|', ${columns.map((column) => `COALESCE(MD5(${column}), '-')`).join(', ')}))`;

/** Facts of a schema itself, its views, routines, triggers and events. */
export async function readProgramFacts(ask: Ask, schemas: readonly NamedSchema[]): Promise<Facts> {
  const facts: Facts = {};
  for (const { shown, actual } of schemas) {
    const schema = literal(actual);
    const lines = await ask(`
SELECT 'database', '', CONCAT(default_character_set_name, ' ', default_collation_name) FROM information_schema.schemata WHERE schema_name = ${schema};
SELECT 'view', table_name, ${digestOf('view_definition', 'check_option', 'definer', 'security_type')} FROM information_schema.views WHERE table_schema = ${schema};
SELECT LOWER(REPLACE(r.routine_type, ' ', '-')), r.routine_name, ${digestOf(
      ...[
        'r.dtd_identifier',
        'r.routine_definition',
        'r.is_deterministic',
        'r.sql_data_access',
        'r.security_type',
        'r.sql_mode',
        'r.routine_comment',
        'r.definer',
        'r.character_set_client',
        'r.collation_connection',
        'r.database_collation',
      ],
      `(SELECT GROUP_CONCAT(CONCAT_WS(' ', p.ordinal_position, p.parameter_mode, p.parameter_name, p.dtd_identifier) ORDER BY p.ordinal_position) FROM information_schema.parameters p WHERE p.specific_schema = r.routine_schema AND p.specific_name = r.specific_name AND p.routine_type = r.routine_type)`,
    )} FROM information_schema.routines r WHERE r.routine_schema = ${schema};
SELECT 'trigger', trigger_name, ${digestOf('event_manipulation', 'event_object_table', 'action_order', 'action_statement', 'action_timing', 'sql_mode', 'definer', 'character_set_client', 'collation_connection', 'database_collation')} FROM information_schema.triggers WHERE trigger_schema = ${schema};
SELECT 'event', CONCAT_WS('/', DATE_FORMAT(CONVERT_TZ(execute_at, time_zone, '+00:00'), '%Y-%m-%dT%H:%i:%sZ'), event_name), ${digestOf('time_zone', 'event_definition', 'event_type', 'execute_at', 'interval_value', 'interval_field', 'starts', 'ends', 'status', 'on_completion', 'event_comment', 'sql_mode', 'definer', 'character_set_client', 'collation_connection', 'database_collation')} FROM information_schema.events WHERE event_schema = ${schema};`);
    for (const [kind = '', name = '', value = ''] of rows(lines)) {
      facts[
        `db/${pathSegment(shown)}/${kind}${
          name === ''
            ? ''
            : `/${
                kind === 'event'
                  ? name
                      .split('/')
                      .map((part) => pathSegment(part))
                      .join('/')
                  : pathSegment(name)
              }`
        }`
      ] = value;
    }
  }
  return facts;
}

/** The schemas that facts are about, with their character set and collation. */
export function schemasOf(facts: Facts): { name: string; charset: string; collation: string }[] {
  return Object.entries(facts).flatMap(([path, value]) => {
    const segment = /^db\/([^/]+)\/database$/.exec(path)?.[1];
    const [charset = '', collation = ''] = String(value).split(' ');
    return segment === undefined ? [] : [{ name: fromPathSegment(segment), charset, collation }];
  });
}

/** What a report shows. */
export function mysqlTotals(facts: Facts): FactTotals {
  const totals = { schemas: 0, tables: 0, rows: 0, programs: 0, accounts: 0 };
  for (const [path, value] of Object.entries(facts)) {
    if (/^db\/[^/]+\/database$/.test(path)) totals.schemas += 1;
    else if (/^account\/.*\/grants$/.test(path)) totals.accounts += 1;
    else if (/^db\/[^/]+\/table\/[^/]+\/rows$/.test(path)) {
      totals.tables += 1;
      totals.rows += Number(value);
    } else if (/^db\/[^/]+\/(view|function|procedure|package|package-body|trigger|event)\//.test(path))
      totals.programs += 1;
  }
  return totals;
}

function digest(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
