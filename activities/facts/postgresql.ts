import type { Facts, FactTotals } from '../../model/facts.ts';

/**
 * Settings under which values become text, so that a digest means the same on both sides whatever the role's or the
 * database's own settings are; and without the time limits that would end a long count or an idle snapshot.
 */
export const pinnedSettings = `
SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'hex';
SET extra_float_digits = 3; SET client_encoding = 'UTF8'; SET search_path = 'pg_catalog'; SET lc_monetary = 'C'; SET row_security = off;
SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET default_transaction_read_only = off;
DO $$ BEGIN PERFORM set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout'); END $$;`;

/** Schemas of users: a condition on `pg_namespace n`. */
export const userSchema = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'`;
/** Objects that no extension brought. */
export const notOfExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;
/** A name as one path segment. */
export const segment = (expression: string): string => `replace(replace(${expression}, '%', '%25'), '/', '%2F')`;
const acl = (column: string, kind: string, owner: string): string =>
  `(SELECT md5(coalesce(string_agg(format('%s:%s:%s', a.grantee::regrole, a.privilege_type, a.is_grantable), ',' ORDER BY a.grantee::regrole::text, a.privilege_type), '')) FROM aclexplode(coalesce(${column}, acldefault('${kind}', ${owner}))) a WHERE a.privilege_type <> 'MAINTAIN')`;

/** Rows and an order-free digest of every ordinary table: count and the sums of both halves of md5 of each row. */
const tables = `
SELECT format($f$SELECT v.path, v.fact FROM (SELECT count(*) AS n, coalesce(sum(('x' || left(h.m, 16))::bit(64)::bigint::numeric), 0) AS a,
    coalesce(sum(('x' || right(h.m, 16))::bit(64)::bigint::numeric), 0) AS b
  FROM (SELECT md5(lifeboat_row::text) AS m FROM ONLY %I.%I lifeboat_row) h) s,
  LATERAL (VALUES (%L, s.n::text), (%L, s.a || ':' || s.b)) v(path, fact)$f$,
  n.nspname, c.relname, 'table/' || t.q || '/rows', 'table/' || t.q || '/digest')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, LATERAL (SELECT ${segment("n.nspname || '.' || c.relname")} AS q) t
WHERE c.relkind = 'r' AND ${userSchema} ORDER BY 1 \\gexec`;

/** Where each sequence stands, and whether it covers the column that draws from it. */
const sequences = `
SELECT 'sequence/' || ${segment("schemaname || '.' || sequencename")} || '/last', coalesce(last_value, 0)::text FROM pg_sequences;`;

const sequenceCover = `
SELECT format($f$SELECT %L, (coalesce((SELECT max(%I)::numeric FROM ONLY %I.%I), 0) <= (SELECT last_value FROM %I.%I))::int$f$,
  'sequence/' || ${segment("sn.nspname || '.' || s.relname")} || '/covers', a.attname, tn.nspname, t.relname, sn.nspname, s.relname)
FROM pg_class s JOIN pg_namespace sn ON sn.oid = s.relnamespace
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
JOIN pg_class t ON t.oid = d.refobjid AND t.relkind = 'r' JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0
WHERE s.relkind = 'S' ORDER BY 1 \\gexec`;

const objects = `
SELECT 'relation/' || ${segment("n.nspname || '.' || c.relname")} || '/definition', md5(concat_ws('|', c.relkind, c.relpersistence, c.relispopulated, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole, ${acl('c.relacl', 'r', 'c.relowner')},
  pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
  (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), ',' ORDER BY a.attname)
   FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${userSchema} AND ${notOfExtension('pg_class', 'c.oid')};
SELECT 'index/' || ${segment("n.nspname || '.' || c.relname")}, md5(pg_get_indexdef(i.indexrelid) || i.indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${userSchema};
SELECT 'constraint/' || ${segment("n.nspname || '.' || coalesce(t.relname, '-') || '.' || o.conname")}, md5(pg_get_constraintdef(o.oid)) FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace LEFT JOIN pg_class t ON t.oid = o.conrelid WHERE ${userSchema} AND o.contype <> 'n';
SELECT 'trigger/' || ${segment("n.nspname || '.' || c.relname || '.' || t.tgname")}, md5(pg_get_triggerdef(t.oid) || t.tgenabled::text) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND ${userSchema};
SELECT 'function/' || ${segment("n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')'")}, md5(concat_ws('|', p.proowner::regrole, ${acl('p.proacl', 'f', 'p.proowner')}, CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) END))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${userSchema} AND ${notOfExtension('pg_proc', 'p.oid')};
SELECT 'enum/' || ${segment("n.nspname || '.' || t.typname")}, string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace GROUP BY 1;
SELECT 'schema/' || ${segment('n.nspname')}, md5(concat_ws('|', n.nspowner::regrole, ${acl('n.nspacl', 'n', 'n.nspowner')})) FROM pg_namespace n WHERE ${userSchema};
SELECT 'extension/' || extname, extversion FROM pg_extension;
SELECT 'policy/' || ${segment("n.nspname || '.' || c.relname || '.' || p.polname")}, md5(concat_ws('|', p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace;
SELECT 'rule/' || ${segment("schemaname || '.' || tablename || '.' || rulename")}, md5(definition) FROM pg_rules WHERE schemaname NOT IN ('pg_catalog', 'information_schema');
SELECT 'eventtrigger/' || ${segment('evtname')}, md5(concat_ws('|', evtevent, evtenabled, evtfoid::regproc, evttags::text)) FROM pg_event_trigger;
SELECT 'comment/digest', count(*) || ':' || md5(coalesce(string_agg(md5(concat_ws('|', pg_describe_object(classoid, objoid, objsubid), description)), '' ORDER BY md5(concat_ws('|', pg_describe_object(classoid, objoid, objsubid), description))), ''))
FROM pg_description WHERE objoid >= 16384 AND classoid <> 'pg_language'::regclass AND classoid <> 'pg_extension'::regclass AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = classoid AND e.objid = objoid AND e.deptype IN ('e', 'i'));
SELECT 'largeobject/count', count(*) FROM pg_largeobject_metadata;
SELECT 'largeobject/digest', coalesce(sum(('x' || left(h.m, 16))::bit(64)::bigint::numeric), 0) || ':' || coalesce(sum(('x' || right(h.m, 16))::bit(64)::bigint::numeric), 0)
FROM (SELECT md5(concat_ws('|', l.oid, l.lomowner::regrole, piece, md5(lo_get(l.oid, piece * 4194304, 4194304)))) AS m FROM pg_largeobject_metadata l,
  LATERAL generate_series(0, (SELECT coalesce(max(pageno), 0)::bigint * 2048 / 4194304 FROM pg_largeobject o WHERE o.loid = l.oid)) piece) h;`;

/** Sequence facts of the connected database; read before a dump starts, since sequences ignore snapshots. */
export const sequenceFactsSql = sequences;

/** Facts of the connected database, as lines `path<TAB>fact`, for psql with `-A -t -F <TAB>`. */
export const databaseFactsSql = `${tables}\n${objects}\n${sequenceCover}`;

/**
 * Facts of the roles of a server. The password of the administrating role is apart: a Secret holds it too.
 * @param administrator - its name, as a literal
 */
export function roleFactsSql(administrator: string): string {
  return `
SELECT 'role/' || ${segment('r.rolname')}, md5(concat_ws('|', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconnlimit, nullif(r.rolvaliduntil, 'infinity'), CASE WHEN r.rolname = ${administrator} THEN '-' ELSE coalesce(r.rolpassword, '-') END,
  (SELECT string_agg(c.setting, ',' ORDER BY c.setting) FROM pg_db_role_setting s, unnest(s.setconfig) c(setting) WHERE s.setrole = r.oid AND s.setdatabase = 0))) FROM pg_authid r WHERE r.rolname !~ '^pg_';
SELECT 'administrator/password', md5(coalesce(rolpassword, '-')) FROM pg_authid WHERE rolname = ${administrator};
SELECT 'member/' || ${segment('r.rolname')} || '/' || ${segment('g.rolname')}, bool_or(m.admin_option)::text FROM pg_auth_members m JOIN pg_authid r ON r.oid = m.member JOIN pg_authid g ON g.oid = m.roleid WHERE r.rolname !~ '^pg_' GROUP BY 1;`;
}

/** Facts of databases as objects of the server: owner, grants, limits, locale, settings. The names are literals. */
export function databaseObjectFactsSql(literals: readonly { shown: string; actual: string }[]): string {
  const values = literals.map(({ shown, actual }) => `(${shown}, ${actual})`).join(', ');
  return `
SELECT 'db/' || ${segment('l.shown')} || '/database', md5(concat_ws('|', d.datdba::regrole, ${acl('d.datacl', 'd', 'd.datdba')}, pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, to_jsonb(d) ->> 'datlocprovider', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), d.datconnlimit,
  (SELECT string_agg(concat_ws(':', s.setrole::regrole, c.setting), ',' ORDER BY s.setrole::regrole::text, c.setting) FROM pg_db_role_setting s, unnest(s.setconfig) c(setting) WHERE s.setdatabase = d.oid AND c.setting NOT LIKE 'lifeboat.%')))
FROM pg_database d JOIN (VALUES ${values}) l(shown, actual) ON l.actual = d.datname;`;
}

/** Reads lines `path<TAB>fact` under a prefix; rows, counts and sequence positions become numbers. */
export function parseFactLines(lines: readonly string[], prefix: string): Facts {
  const facts: Facts = {};
  for (const line of lines) {
    const tab = line.indexOf('\t');
    if (tab <= 0) continue;
    const path = line.slice(0, tab);
    const value = line.slice(tab + 1);
    facts[`${prefix}${path}`] = /\/(rows|last|covers|count)$/.test(path) ? Number(value) : value;
  }
  return facts;
}

/** What a report shows of PostgreSQL facts. */
export function postgresTotals(facts: Facts): FactTotals {
  const totals = { databases: 0, tables: 0, rows: 0, sequences: 0, largeObjects: 0, roles: 0 };
  for (const [path, value] of Object.entries(facts)) {
    if (/^db\/[^/]+\/database$/.test(path)) totals.databases += 1;
    else if (path.startsWith('role/')) totals.roles += 1;
    else if (path.endsWith('/rows')) {
      totals.tables += 1;
      totals.rows += Number(value);
    } else if (path.endsWith('/last')) totals.sequences += 1;
    else if (path.endsWith('/largeobject/count')) totals.largeObjects += Number(value);
  }
  return totals;
}
