import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Facts } from '../../model/facts.ts';
import { type Ask, identifier, literal, rows } from './mysql.ts';
import { pathSegment } from './path-segment.ts';

/** An account or a role of MariaDB or MySQL, as statements that make it. */
export const Account = z.strictObject({
  user: z.string(),
  host: z.string(),
  isRole: z.boolean(),
  /** What follows the name in CREATE USER: how it logs in, limits, locks. */
  login: z.string(),
  /** GRANT statements without anything about the login, sorted; then what else SHOW GRANTS says, also as statements. */
  grants: z.array(z.string()),
});
export type Account = z.infer<typeof Account>;

/** Accounts that the server keeps for itself. */
const ofTheServer = ['mariadb.sys', 'mysql.sys', 'mysql.session', 'mysql.infoschema', 'PUBLIC'];

/** The name of an account in a statement. */
export function accountName({ user, host, isRole }: Pick<Account, 'user' | 'host' | 'isRole'>): string {
  return isRole ? identifier(user) : `${literal(user)}@${literal(host)}`;
}

/** Every account but the server's own. MariaDB's roles are no accounts there; MySQL's are accounts that are locked. */
export async function readAccounts(ask: Ask): Promise<Account[]> {
  const [version] = await ask(
    "/*!80017 SET SESSION print_identified_with_as_hex = ON */; SELECT VERSION() LIKE '%MariaDB%';",
  );
  const isMariaDb = version === '1';
  const isRole = isMariaDb ? 'u.is_role' : "'N'";
  // with skip_name_resolve the server leaves out accounts of named hosts, and then knows nothing of their grants
  const isKnown = `EXISTS (SELECT 1 FROM information_schema.user_privileges p WHERE p.grantee = CONCAT('\\'', u.user, '\\'@\\'', u.host, '\\''))`;
  const listed = await ask(
    `SELECT u.user, u.host, ${isRole} FROM mysql.user u WHERE u.user NOT IN (${ofTheServer.map(literal).join(', ')}) AND (${isRole} = 'Y' OR ${isKnown}) ORDER BY u.user, u.host;`,
  );
  const accounts: Account[] = [];
  for (const [user = '', host = '', role] of rows(listed)) {
    const account = { user, host, isRole: role === 'Y' };
    const grants = rows(await ask(`SHOW GRANTS FOR ${accountName(account)};`)).map(([grant = '']) => grant);
    const created = account.isRole ? '' : (rows(await ask(`SHOW CREATE USER ${accountName(account)};`))[0]?.[0] ?? '');
    const login =
      /^CREATE USER (?:`(?:[^`]|``)*`|'(?:[^']|'')*')@(?:`(?:[^`]|``)*`|'(?:[^']|'')*')\s?(.*)$/s.exec(created)?.[1] ??
      '';
    const defaultRole = / ?DEFAULT ROLE (.*?)(?= REQUIRE |$)/.exec(login);
    // MariaDB has the right of the installation to stand for anybody, and shows it twice where somebody grants it again.
    const statements = [
      ...new Set(ownGrants(grants, account)),
      ...(defaultRole?.[1] === undefined ? [] : [`SET DEFAULT ROLE ${defaultRole[1]} TO ${accountName(account)}`]),
    ].sort();
    accounts.push({
      ...account,
      login: defaultRole === null ? login : login.replace(defaultRole[0], ''),
      grants: [...statements.filter(isGrant), ...statements.filter((statement) => !isGrant(statement))],
    });
  }
  return accounts;
}

function isGrant(statement: string): boolean {
  return statement.startsWith('GRANT ');
}

/** Whether a statement takes a schema out of a grant on all of them: MySQL shows so with `partial_revokes`. */
function isRestriction(statement: string): boolean {
  return statement.startsWith('REVOKE ');
}

/** The grants that are the account's own, not its roles', and of each only what is granted, not how it logs in; all that is no grant. */
function ownGrants(grants: readonly string[], account: Pick<Account, 'user' | 'host' | 'isRole'>): string[] {
  const quote = "[`']";
  const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const name = (text: string): string =>
    `${quote}${escape(text).replaceAll('`', '``?').replaceAll("'", "''?")}${quote}`;
  const grantee = new RegExp(
    `^(GRANT .* TO ${name(account.user)}${account.isRole ? '' : `@${name(account.host)}`})( .*)?$`,
    's',
  );
  return grants.flatMap((grant) => {
    if (!isGrant(grant)) return [grant];
    const found = grantee.exec(grant);
    if (found?.[1] === undefined) return [];
    const option = /WITH .*\b(GRANT|ADMIN) OPTION/.exec(found[2] ?? '')?.[1];
    return [`${sortColumns(quoteNames(found[1]))}${option === undefined ? '' : ` WITH ${option} OPTION`}`];
  });
}

/** The names of a PROXY grant in one kind of quotes: MariaDB 10.11 writes `name`, 11.4 writes 'name'. */
function quoteNames(grant: string): string {
  if (!grant.startsWith('GRANT PROXY ')) return grant;
  return grant.replace(/'((?:[^']|'')*)'/g, (_, name: string) => identifier(name.replaceAll("''", "'")));
}

/** Grants of columns in one order: the server lists them by chance. */
function sortColumns(grant: string): string {
  const [, what = '', on = ''] = /^(.*?)( ON .*)$/s.exec(grant) ?? [];
  return what === ''
    ? grant
    : `${what.replace(/\(([^()]*)\)/g, (_, columns: string) => `(${columns.split(', ').sort().join(', ')})`)}${on}`;
}

/** The schema of a grant on one table, column or routine; such a grant goes with the schema's owner. */
export function grantedObjectSchema(grant: string): string | undefined {
  const found =
    /^GRANT .*? ON (?:TABLE |FUNCTION |PROCEDURE |PACKAGE |PACKAGE BODY )?[`']((?:[^`']|``)+)[`']\.[`'](?:[^`']|``)+[`'] TO /s.exec(
      grant,
    );
  return found?.[1]?.replaceAll('``', '`');
}

/** Whose grants are meant: `whole` is every account with what is not another owner's, else only what is granted on objects of the schemas. */
export type GrantScope = { readonly schemas: readonly string[]; readonly whole: boolean };

/** The accounts as far as they are in scope. */
export function scopeAccounts(accounts: readonly Account[], scope: GrantScope): Account[] {
  const scoped = accounts.map((account) => ({
    ...account,
    grants: account.grants.filter((grant) => {
      const schema = grantedObjectSchema(grant);
      return schema === undefined ? scope.whole : scope.schemas.includes(schema);
    }),
  }));
  return scope.whole ? scoped : scoped.filter(({ grants }) => grants.length > 0);
}

/**
 * The statements that give an account the wanted grants instead of the present ones. A restriction goes with the grant that it
 * restricts: where an account differs, its restrictions are lifted first and set again last.
 */
export function grantChanges(
  present: readonly string[],
  wanted: readonly string[],
): { readonly revokes: string[]; readonly grants: string[] } {
  const isSame = present.length === wanted.length && present.every((grant) => wanted.includes(grant));
  const notIn = (other: readonly string[]) => (grant: string) =>
    !other.includes(grant) || (isRestriction(grant) && !isSame);
  const gone = present.filter(notIn(wanted));
  const lifted = gone.filter(isRestriction);
  return {
    revokes: [...lifted, ...gone.filter((grant) => !isRestriction(grant))].flatMap(revokeStatements),
    grants: wanted.filter(notIn(present)),
  };
}

/** The statements that take a grant, or what restricts one, back. */
export function revokeStatements(grant: string): string[] {
  // The right to stand for anybody, which MariaDB's administrator has from the installation: the server finds no such grant.
  if (grant.startsWith('GRANT PROXY ON ``@`%` TO ')) return [];
  const role = /^SET DEFAULT ROLE .* (FOR|TO) (.*)$/s.exec(grant);
  if (role !== null) return [`SET DEFAULT ROLE NONE ${role[1] ?? ''} ${role[2] ?? ''}`];
  const lifted = /^REVOKE (.* ON [`'].*) FROM ([`'].*)$/s.exec(grant);
  // The grant on all schemas covers it: the server takes the restriction away and writes no grant on the schema.
  if (lifted !== null) return [`GRANT ${lifted[1] ?? ''} TO ${lifted[2] ?? ''}`];
  const [, what = '', grantee = '', , option] =
    /^GRANT (.*?) TO ([`'].*?)( WITH (GRANT|ADMIN) OPTION)?$/s.exec(grant) ?? [];
  if (what === '' || grantee === '') return [];
  const on = / ON .*$/s.exec(what)?.[0];
  return [
    ...(what.startsWith('USAGE ON ') ? [] : [`REVOKE ${what} FROM ${grantee}`]),
    ...(option === 'GRANT' && on !== undefined && !what.startsWith('PROXY ')
      ? [`REVOKE GRANT OPTION${on} FROM ${grantee}`]
      : []),
  ];
}

/**
 * Facts of accounts. How the administrator logs in is apart: a Secret holds that password too.
 * @param administrator - the user whose password the release's Secret holds
 */
export function accountFacts(accounts: readonly Account[], administrator: string, scope: GrantScope): Facts {
  const facts: Facts = {};
  for (const account of scopeAccounts(accounts, scope)) {
    const path = `account/${pathSegment(`${account.user}@${account.host}`)}`;
    const login = account.user === administrator ? 'administrator' : 'definition';
    if (scope.whole) facts[`${path}/${login}`] = digest(`${String(account.isRole)} ${account.login}`);
    facts[`${path}/grants`] = digest(account.grants.filter((grant) => !/^GRANT USAGE ON /.test(grant)).join('\n'));
  }
  return facts;
}

/** Whether a fact is about how an administrator logs in. */
export function isAdministratorLogin(path: string): boolean {
  return /^account\/[^/]+\/administrator$/.test(path);
}

/** Accounts as SQL that can be run again, for people; each stands as JSON in a comment, for the restore. */
export function renderAccounts(accounts: readonly Account[]): string {
  const made = accounts.map(
    (account) =>
      `-- account ${JSON.stringify(account)}\n${[...createStatements(account), ...alterStatements(account)].map((statement) => `${statement};\n`).join('')}`,
  );
  return `${made.join('')}${accounts.flatMap(({ grants }) => grants.map((grant) => `${grant};\n`)).join('')}-- Accounts completed\n`;
}

/** Reads what renderAccounts wrote. */
export function parseAccounts(text: string): Account[] {
  return text
    .split('\n')
    .flatMap((line) =>
      line.startsWith('-- account ') ? [Account.parse(JSON.parse(line.slice('-- account '.length)))] : [],
    );
}

/** Makes the account where it is missing. */
export function createStatements(account: Account): string[] {
  return [
    account.isRole
      ? `CREATE ROLE IF NOT EXISTS ${accountName(account)}`
      : `CREATE USER IF NOT EXISTS ${accountName(account)} ${account.login}`.trimEnd(),
  ];
}

/** Gives an account that is there the captured way to log in. */
export function alterStatements(account: Account): string[] {
  if (account.isRole) return [];
  return [
    account.login === ''
      ? `SET PASSWORD FOR ${accountName(account)} = ''`
      : `ALTER USER ${accountName(account)} ${account.login}`,
  ];
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
