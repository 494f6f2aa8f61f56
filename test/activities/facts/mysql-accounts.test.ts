import { describe, expect, it } from 'vitest';
import {
  type Account,
  accountFacts,
  alterStatements,
  createStatements,
  grantChanges,
  grantedObjectSchema,
  isAdministratorLogin,
  parseAccounts,
  readAccounts,
  renderAccounts,
  revokeStatements,
  scopeAccounts,
} from '../../../activities/facts/mysql-accounts.ts';

const odd: Account = {
  user: "odd 'name'",
  host: '10.%',
  isRole: false,
  login: "IDENTIFIED BY PASSWORD '*8B'",
  grants: [
    "GRANT SELECT (`id`, `name`) ON `shop`.`customers` TO `odd 'name'`@`10.%`",
    "GRANT USAGE ON *.* TO `odd 'name'`@`10.%`",
  ],
};
const role: Account = {
  user: 'reporting',
  host: '',
  isRole: true,
  login: '',
  grants: ['GRANT SELECT ON `archive-2025`.* TO `reporting`'],
};
const root: Account = {
  user: 'root',
  host: '%',
  isRole: false,
  login: "IDENTIFIED BY PASSWORD '*79'",
  grants: ['GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION'],
};

describe('readAccounts', () => {
  it('reads one PROXY grant alike from the servers that quote its names in another way', async () => {
    const read = async (grant: string): Promise<Account[]> => {
      const answers: [RegExp, string][] = [
        [/VERSION/, '1'],
        [/FROM mysql\.user/, 'root\tlocalhost\tN'],
        [/SHOW GRANTS/, grant],
      ];
      return await readAccounts((sql) =>
        Promise.resolve(answers.flatMap(([pattern, answer]) => (pattern.test(sql) ? [answer] : []))),
      );
    };
    const older = await read('GRANT PROXY ON ``@`%` TO `root`@`localhost` WITH GRANT OPTION');
    const newer = await read("GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION");
    expect(older[0]?.grants).toEqual(['GRANT PROXY ON ``@`%` TO `root`@`localhost` WITH GRANT OPTION']);
    expect(newer).toEqual(older);
    expect(revokeStatements(older[0]?.grants[0] ?? '')).toEqual([]);
  });

  it('reads what is granted to an account, without its roles’ grants and without how it logs in', async () => {
    const answers: [RegExp, string[]][] = [
      [/VERSION/, ['1']],
      [/FROM mysql\.user/, ['analyst\t%\tN', 'reporting\t\tY']],
      [
        /SHOW GRANTS FOR 'analyst'@'%'/,
        [
          'GRANT `reporting` TO `analyst`@`%`',
          "GRANT USAGE ON *.* TO `analyst`@`%` IDENTIFIED BY PASSWORD '*3C' WITH MAX_USER_CONNECTIONS 5",
          "GRANT ALL PRIVILEGES ON `shop`.* TO `analyst`@`%` IDENTIFIED BY PASSWORD '*3C' WITH GRANT OPTION",
          'GRANT SELECT (`z`, `a`), UPDATE (`b`) ON `shop`.`t` TO `analyst`@`%`',
          'GRANT SELECT ON `archive-2025`.* TO `reporting`',
        ],
      ],
      [/SHOW GRANTS FOR `reporting`/, ['GRANT SELECT ON `archive-2025`.* TO `reporting`']],
      [/SHOW CREATE USER/, ["CREATE USER `analyst`@`%` IDENTIFIED BY PASSWORD '*3C' WITH MAX_USER_CONNECTIONS 5"]],
    ];
    const accounts = await readAccounts((sql) =>
      Promise.resolve(answers.find(([pattern]) => pattern.test(sql))?.[1] ?? []),
    );

    expect(accounts).toEqual([
      {
        user: 'analyst',
        host: '%',
        isRole: false,
        login: "IDENTIFIED BY PASSWORD '*3C' WITH MAX_USER_CONNECTIONS 5",
        grants: [
          'GRANT ALL PRIVILEGES ON `shop`.* TO `analyst`@`%` WITH GRANT OPTION',
          'GRANT SELECT (`a`, `z`), UPDATE (`b`) ON `shop`.`t` TO `analyst`@`%`',
          'GRANT USAGE ON *.* TO `analyst`@`%`',
          'GRANT `reporting` TO `analyst`@`%`',
        ],
      },
      {
        user: 'reporting',
        host: '',
        isRole: true,
        login: '',
        grants: ['GRANT SELECT ON `archive-2025`.* TO `reporting`'],
      },
    ]);
  });

  it('takes a default role of MySQL out of the login, since it can be set only once the role is granted', async () => {
    const answers: [RegExp, string[]][] = [
      [/VERSION/, ['0']],
      [/FROM mysql\.user/, ['app\t%\tN']],
      [/SHOW GRANTS/, ['GRANT USAGE ON *.* TO `app`@`%`', 'GRANT `r`@`%` TO `app`@`%`']],
      [
        /SHOW CREATE USER/,
        [
          "CREATE USER `app`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x2441 DEFAULT ROLE `r`@`%` REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK",
        ],
      ],
    ];
    const [account] = await readAccounts((sql) =>
      Promise.resolve(answers.find(([pattern]) => pattern.test(sql))?.[1] ?? []),
    );

    expect(account?.login).toBe(
      "IDENTIFIED WITH 'caching_sha2_password' AS 0x2441 REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK",
    );
    expect(account?.grants).toContain("SET DEFAULT ROLE `r`@`%` TO 'app'@'%'");
  });
});

describe('a schema that MySQL takes out of a grant on all of them', () => {
  const read = async (...grants: string[]): Promise<Account[]> => {
    const answers: [RegExp, string[]][] = [
      [/VERSION/, ['0']],
      [/FROM mysql\.user/, ['app\t%\tN']],
      [/SHOW GRANTS/, grants],
      [/SHOW CREATE USER/, ['CREATE USER `app`@`%` IDENTIFIED WITH x DEFAULT ROLE `r`@`%` REQUIRE NONE']],
    ];
    return await readAccounts((sql) => Promise.resolve(answers.find(([pattern]) => pattern.test(sql))?.[1] ?? []));
  };
  const all = 'GRANT SELECT ON *.* TO `app`@`%`';
  const more = 'GRANT SELECT, INSERT ON *.* TO `app`@`%`';
  const role = 'GRANT `r`@`%` TO `app`@`%`';
  const without = 'REVOKE SELECT ON `secret`.* FROM `app`@`%`';
  const lift = 'GRANT SELECT ON `secret`.* TO `app`@`%`';
  const defaultRole = "SET DEFAULT ROLE `r`@`%` TO 'app'@'%'";

  it('is captured behind the grants, is written for the restore, and is a fact', async () => {
    const accounts = await read(all, without, role);
    const unlimited = await read(all, role);
    const scope = { schemas: [], whole: true };

    expect(accounts[0]?.grants).toEqual([all, role, without, defaultRole]);
    expect(scopeAccounts(accounts, scope)).toEqual(accounts);
    expect(scopeAccounts(accounts, { schemas: ['secret'], whole: false })).toEqual([]);
    expect(parseAccounts(renderAccounts(accounts))).toEqual(accounts);
    expect(renderAccounts(accounts)).toContain(`${without};\n`);
    expect(accountFacts(accounts, 'root', scope)['account/app@%25/grants']).not.toBe(
      accountFacts(unlimited, 'root', scope)['account/app@%25/grants'],
    );
  });

  it('is set where it is missing, and lifted where it was not captured', () => {
    expect(grantChanges([all], [all, without])).toEqual({ revokes: [], grants: [without] });
    expect(grantChanges([], [all, without])).toEqual({ revokes: [], grants: [all, without] });
    expect(grantChanges([all, without], [all])).toEqual({ revokes: [lift], grants: [] });
    expect(grantChanges([all, without], [all, without])).toEqual({ revokes: [], grants: [] });
  });

  it('is set again once the grant that it restricts was exchanged', () => {
    expect(grantChanges([more, without], [all, without])).toEqual({
      revokes: [lift, 'REVOKE SELECT, INSERT ON *.* FROM `app`@`%`'],
      grants: [all, without],
    });
  });
});

describe('renderAccounts', () => {
  it('is read back as it was, and makes each account again', () => {
    const text = renderAccounts([odd, role, root]);

    expect(parseAccounts(text)).toEqual([odd, role, root]);
    expect(text).toContain("CREATE USER IF NOT EXISTS 'odd ''name'''@'10.%' IDENTIFIED BY PASSWORD '*8B';");
    expect(createStatements(role)).toEqual(['CREATE ROLE IF NOT EXISTS `reporting`']);
    expect(alterStatements(role)).toEqual([]);
    expect(text.trimEnd().endsWith('-- Accounts completed')).toBe(true);
  });
});

describe('revokeStatements', () => {
  it('takes back privileges, their option, roles and defaults', () => {
    expect(revokeStatements('GRANT ALL PRIVILEGES ON `shop`.* TO `a`@`%` WITH GRANT OPTION')).toEqual([
      'REVOKE ALL PRIVILEGES ON `shop`.* FROM `a`@`%`',
      'REVOKE GRANT OPTION ON `shop`.* FROM `a`@`%`',
    ]);
    expect(revokeStatements('GRANT `reporting` TO `a`@`%` WITH ADMIN OPTION')).toEqual([
      'REVOKE `reporting` FROM `a`@`%`',
    ]);
    expect(revokeStatements('GRANT USAGE ON *.* TO `a`@`%`')).toEqual([]);
    expect(revokeStatements("SET DEFAULT ROLE `r` FOR 'a'@'%'")).toEqual(["SET DEFAULT ROLE NONE FOR 'a'@'%'"]);
  });
});

describe('scopeAccounts', () => {
  it('leaves grants on objects of a claimed schema to whoever claims it', () => {
    const onPosts = 'GRANT SELECT ON `wordpress`.`wp_posts` TO `analyst`@`%`';
    const analyst: Account = {
      ...root,
      user: 'analyst',
      grants: ['GRANT SELECT ON `wordpress`.* TO `analyst`@`%`', onPosts],
    };

    expect(scopeAccounts([analyst], { schemas: ['shop'], whole: true })[0]?.grants).toEqual([
      'GRANT SELECT ON `wordpress`.* TO `analyst`@`%`',
    ]);
    expect(scopeAccounts([analyst, role], { schemas: ['wordpress'], whole: false })).toEqual([
      { ...analyst, grants: [onPosts] },
    ]);
    expect(grantedObjectSchema('GRANT EXECUTE ON FUNCTION `a``b`.`f` TO `x`@`%`')).toBe('a`b');
  });
});

describe('accountFacts', () => {
  it('keeps how the administrator logs in apart', () => {
    const scope = { schemas: ['shop'], whole: true };
    const facts = accountFacts([root, odd], 'root', scope);
    const rotated = accountFacts([{ ...root, login: 'other' }, odd], 'root', scope);
    const differing = Object.keys(facts).filter((path) => facts[path] !== rotated[path]);

    expect(differing).toEqual(['account/root@%25/administrator']);
    expect(differing.every(isAdministratorLogin)).toBe(true);
    expect(accountFacts([{ ...odd, login: 'other' }], 'root', scope)["account/odd 'name'@10.%25/definition"]).not.toBe(
      facts["account/odd 'name'@10.%25/definition"],
    );
  });
});
