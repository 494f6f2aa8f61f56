import { conform, sh } from './conform.ts';

const mysql = 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD exec mariadb --protocol=socket -uroot -N -B';

conform('mysql', [
  {
    component: 'databases',
    stream: 'data',
    damage: async (workload, ground) =>
      await sh(
        ground,
        workload,
        mysql,
        `USE shop; DELETE FROM orders WHERE id % 3 = 0; UPDATE customers SET name = 'x' WHERE id = 7; DROP TRIGGER audit_total; DROP PROCEDURE raise_total; DROP VIEW best; DROP EVENT forget_audit;
CREATE TABLE intruder (n int); DROP DATABASE \`archive-2025\`; ALTER USER analyst@'%' IDENTIFIED BY 'other'; GRANT INSERT ON shop.* TO analyst@'%'; REVOKE reporting FROM analyst@'%'; DROP USER 'odd ''name'''@'10.%';`,
      ),
    touch: async (workload, ground) =>
      await sh(ground, workload, `${mysql} -e "INSERT INTO shop.audit VALUES (now(), 1, 1, 1)"`),
    byHand: async (workload, ground) =>
      await sh(
        ground,
        workload,
        mysql,
        "DROP DATABASE shop; DROP DATABASE `archive-2025`; DROP USER analyst@'%'; DROP USER 'odd ''name'''@'10.%';",
      ),
    wrongPassword: { options: { user: 'root', passwordEnv: 'HOSTNAME' } },
    missingTool: 'another image',
    writer: true,
    leavesNothing: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `${mysql} -e "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'lifeboat\\_%'"`,
      ),
  },
]);
