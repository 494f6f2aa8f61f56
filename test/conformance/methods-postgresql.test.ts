import { conform, sh } from './conform.ts';

conform('postgresql', [
  {
    component: 'databases',
    stream: 'database-shop',
    damage: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `p() { psql -XAtq -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" "$@"; }
p -d shop -c 'TRUNCATE sales.audit; DELETE FROM sales.events; DROP TABLE sales.invoices; CREATE TABLE intruder (n int)'
p -d analytics -c 'CREATE TABLE intruder (n int)'
p -d template1 -c 'ALTER ROLE analyst CONNECTION LIMIT 1' -c 'DROP ROLE IF EXISTS intruder' -c 'CREATE ROLE intruder'`,
      ),
    touch: async (workload, ground) =>
      await sh(ground, workload, `psql -XAtq -U "$POSTGRES_USER" -d shop -c "INSERT INTO sales.audit VALUES (now())"`),
    wrongPassword: { options: { user: 'user' }, parameters: { user: 'nobody' } },
    missingTool: 'another image',
    writer: true,
    undoes: true,
    leavesNothing: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `psql -XAtq -U "$POSTGRES_USER" -d template1 -c "SELECT datname FROM pg_database WHERE datname LIKE 'lifeboat%'"`,
      ),
  },
]);
