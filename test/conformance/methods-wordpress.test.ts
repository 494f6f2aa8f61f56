import type { BoundWorkload } from '../../model/bound-plan.ts';
import { conform, sh } from './conform.ts';
import type { MethodGround } from './method-ground.ts';

const mysql = 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD exec mariadb --protocol=socket -uroot -N -B';

conform(
  'wordpress',
  [
    {
      component: 'database',
      stream: 'data',
      damage: async (_, ground) => {
        const host = await hostWorkload(ground);
        await sh(
          ground,
          host,
          mysql,
          "USE wordpress; DELETE FROM wp_posts WHERE ID % 2 = 0; UPDATE wp_options SET option_value = 'x' WHERE option_name = 'blogname'; DROP TABLE wp_links; CREATE TABLE intruder (n int);",
        );
      },
      touch: async (_, ground) =>
        await sh(
          ground,
          await hostWorkload(ground),
          `${mysql} -e "INSERT INTO wordpress.wp_options (option_name, option_value) VALUES ('touched', '1')"`,
        ),
      wrongPassword: { options: { user: 'root', passwordEnv: 'HOSTNAME', database: 'dbName' } },
    },
    {
      component: 'files',
      stream: 'tar',
      damage: async (workload, ground) => {
        await sh(
          ground,
          workload,
          'cd /var/www/html; rm -rf wp-includes wp-content/uploads/2026/01; echo x >intruder; chmod 600 wp-config.php; echo "// x" >>wp-login.php',
        );
        await ground.scale(workload, 0);
      },
    },
  ],
  ['mysql'],
);

async function hostWorkload(ground: MethodGround): Promise<BoundWorkload> {
  const bound = await ground.bind({ chart: 'mysql', namespace: 'conformance-wordpress', name: 'mysql' });
  return bound.workloads['mysql'] as BoundWorkload;
}
