import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { PodAddress } from '../../activities/clients/kubectl.ts';
import type { BoundPlan, BoundWorkload } from '../../model/bound-plan.ts';
import { type ArchiveContext, archivedPoint, extractFrom } from '../activities/archived-point.ts';
import { OddFilesInPod } from '../activities/odd-files-in-pod.ts';
import { sha256 } from '../transfer/test-sources.ts';
import { conform, sh } from './conform.ts';
import { captureInMemory, restoreContextOf } from './memory-point.ts';
import type { MethodGround, Over } from './method-ground.ts';

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
      byHand: async (_, ground) =>
        await sh(ground, await hostWorkload(ground), `${mysql} -e "DROP DATABASE wordpress"`),
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
      also: [
        { it: 'gives one upload out of a point, byte for byte', run: extractUpload },
        {
          it: 'brings odd files back through a helper pod, with all that their owner can give them',
          run: carryOddFiles,
        },
      ],
    },
  ],
  ['mysql'],
);

async function hostWorkload(ground: MethodGround): Promise<BoundWorkload> {
  const bound = await ground.bind({ chart: 'mysql', namespace: 'conformance-wordpress', name: 'mysql' });
  return bound.workloads['mysql'] as BoundWorkload;
}

async function extractUpload(ground: MethodGround, bound: BoundPlan, workload: BoundWorkload): Promise<void> {
  const upload = 'wp-content/uploads/2026/06/random.bin';
  const point = await archivedPoint({ context: ground.context(bound, 'files', 'one-file') as ArchiveContext });
  const to = join(mkdtempSync(join(tmpdir(), 'lifeboat-upload-')), 'found');
  await extractFrom(point, [upload], to);
  const live = await sh(ground, workload, `sha256sum /var/www/html/${upload}`);
  expect(live.split(' ')[0]).toBe(sha256(readFileSync(join(to, upload))));
  expect(readdirSync(join(to, 'wp-content', 'uploads', '2026', '06'))).toEqual(['random.bin']);
}

async function carryOddFiles(ground: MethodGround, bound: BoundPlan, workload: BoundWorkload): Promise<void> {
  const directory = '/var/www/html/odd-files';
  const pod = async (): Promise<PodAddress> => await ground.podOf(workload);
  const odd = new OddFilesInPod({ access: ground.backends.access, pod, directory });
  try {
    await odd.put();
    const over: Over = { options: { mountPath: directory }, component: { executor: 'helper-pod' } };
    const context = ground.context(bound, 'files', `odd-${String(Date.now())}`, over);
    const method = ground.method(bound, 'files');
    const point = await captureInMemory(method, context);
    expect(point.captured.notes).toEqual([]);
    await odd.damage();

    await method.restore(restoreContextOf(context, point));

    await odd.expectBack();
  } finally {
    await odd.remove();
  }
}
