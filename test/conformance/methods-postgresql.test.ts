import { expect } from 'vitest';
import { conform, sh } from './conform.ts';
import { captureInMemory, restoreContextOf } from './memory-point.ts';

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
p -d template1 -c 'DROP DATABASE analytics' -c 'ALTER DATABASE postgres CONNECTION LIMIT 70' -c 'REVOKE reporting FROM analyst' \\
  -c "ALTER ROLE analyst PASSWORD 'rotated' CONNECTION LIMIT 1" -c 'DROP ROLE IF EXISTS intruder' -c 'CREATE ROLE intruder'
echo "SELECT format('DROP DATABASE %I', datname) FROM pg_database WHERE datname ~ '__before_'" '\\gexec' | p -d template1
p -d shop -c 'DROP OWNED BY "Ödd ""name"""' -c 'DROP ROLE "Ödd ""name"""'`,
      ),
    touch: async (workload, ground) =>
      await sh(ground, workload, `psql -XAtq -U "$POSTGRES_USER" -d shop -c "INSERT INTO sales.audit VALUES (now())"`),
    byHand: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `p() { psql -XAtq -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d template1 "$@"; }
echo "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE datname ~ '__before_|^(shop|analytics)$'" '\\gexec' | p
p -c 'DROP ROLE "Ödd ""name"""' -c 'REVOKE reporting FROM analyst' -c "ALTER ROLE analyst PASSWORD 'rotated'"`,
      ),
    wrongPassword: { options: { user: 'user' }, parameters: { user: 'nobody' } },
    missingTool: 'another image',
    writer: true,
    undoes: true,
    also: [
      {
        it: 'brings tablespaces that are gone, with what is in them, and an undo takes them away again',
        run: async (ground, bound, workload) => {
          const method = ground.method(bound, 'databases');
          const context = ground.context(bound, 'databases', `${String(Date.now())}-tablespaces`);
          const script = async (text: string): Promise<string> =>
            await ground.run(workload, [
              ...['sh', '-ceu'],
              `fast=$(dirname "$PGDATA")/fast; p() { psql -XAtq -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" "$@"; }\n${text}`,
            ]);
          const placed = `p -d template1 -c "SELECT spcname FROM pg_tablespace WHERE spcname !~ '^pg_'" \\
  -c "SELECT datname FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE t.spcname = 'fast disks'"
p -d shop -c "SELECT count(*) FROM placed" -c "SELECT tablespace FROM pg_tables WHERE tablename = 'placed'"`;
          await script(`mkdir "$fast"
p -d template1 -c "CREATE TABLESPACE \\"fast disks\\" LOCATION '$fast'" -c 'CREATE DATABASE placed TABLESPACE "fast disks"'
p -d shop -c 'CREATE TABLE placed TABLESPACE "fast disks" AS SELECT generate_series(1, 7) AS n'`);
          const point = await captureInMemory(method, context);
          const before = await script(placed);
          expect(before.split('\n').filter(Boolean)).toEqual(['fast disks', 'placed', '7', 'fast disks']);
          await script(`p -d shop -c 'DROP TABLE placed'
p -d template1 -c 'DROP DATABASE placed' -c 'DROP TABLESPACE "fast disks"'
rmdir "$fast"`);

          await method.restore(restoreContextOf(context, point));

          expect(await script(placed)).toBe(before);
          await method.undoRestore?.(context);
          await expect(script(placed)).rejects.toThrow(/relation "placed" does not exist/);
          expect(await script(`p -d template1 -c "SELECT count(*) FROM pg_tablespace"; rmdir "$fast"`)).toBe('2\n');
        },
      },
      {
        it: 'names a role that it brought and cannot drop again',
        run: async (ground, bound, workload) => {
          const method = ground.method(bound, 'databases');
          const context = ground.context(bound, 'databases', `${String(Date.now())}-left-role`);
          const sql = async (text: string): Promise<unknown> =>
            await ground.run(
              workload,
              ['sh', '-ceu', 'psql -XAtq -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d template1'],
              text,
            );
          await sql('CREATE ROLE visitor');
          const point = await captureInMemory(method, context);
          await sql('DROP ROLE visitor');
          await method.restore(restoreContextOf(context, point));
          await sql('GRANT CONNECT ON DATABASE template1 TO visitor');

          await expect(method.undoRestore?.(context)).rejects.toMatchObject({
            code: 'RestoreFailed',
            message: expect.stringMatching(/something depends on visitor$/) as string,
          });
          await sql('REVOKE CONNECT ON DATABASE template1 FROM visitor');
          await method.undoRestore?.(context);
          await expect(sql('DROP ROLE visitor')).rejects.toThrow(/role "visitor" does not exist/);
        },
      },
    ],
    leavesNothing: async (workload, ground) =>
      await sh(
        ground,
        workload,
        `psql -XAtq -U "$POSTGRES_USER" -d template1 -c "SELECT datname FROM pg_database WHERE datname LIKE 'lifeboat%'"`,
      ),
  },
]);
