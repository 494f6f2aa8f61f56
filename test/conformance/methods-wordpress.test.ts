import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { streamFromPod, streamToPod } from '../../activities/executors/pod-exec.ts';
import type { BoundPlan, BoundWorkload } from '../../model/bound-plan.ts';
import { type ArchiveContext, archivedPoint, extractFrom, removeFolders } from '../activities/archived-point.ts';
import { makeOddTree } from '../activities/odd-tree.ts';
import { differencesOf, readTreeAttributes, type TreeAttributes } from '../activities/tree-attributes.ts';
import { bytesOf, missingTools, sha256 } from '../transfer/test-sources.ts';
import { conform, sh } from './conform.ts';
import { captureInMemory, restoreContextOf } from './memory-point.ts';
import type { MethodGround, Over } from './method-ground.ts';

const oddCount = process.env['LIFEBOAT_FULL'] === '1' ? 100_000 : 2_000;
const lacksAttributes = missingTools('attributes of files in a volume', 'setfattr', 'getfattr', 'setfacl', 'getfacl');

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

const oddFolder = '/var/www/html/odd-files';

/** Into the volume by tar, captured, damaged, restored; what is there is fetched by tar before and after. */
async function carryOddFiles(ground: MethodGround, bound: BoundPlan, workload: BoundWorkload): Promise<void> {
  const [made, before, after] = ['made', 'before', 'after'].map((name) =>
    mkdtempSync(join(tmpdir(), `lifeboat-odd-${name}-`)),
  ) as [string, string, string];
  try {
    makeOddTree({ directory: made, count: oddCount, seed: 5, attributes: !lacksAttributes, own: true });
    await sh(ground, workload, `rm -rf ${oddFolder}; mkdir ${oddFolder}`);
    await pushTree(ground, workload, made);
    await pullTree(ground, workload, before);
    const over: Over = { options: { mountPath: oddFolder }, component: { executor: 'helper-pod' } };
    const context = ground.context(bound, 'files', `odd-${String(Date.now())}`, over);
    const method = ground.method(bound, 'files');
    const point = await captureInMemory(method, context);
    expect(point.captured.notes).toEqual([]);
    await sh(
      ground,
      workload,
      `chmod -R u+rwx ${oddFolder}; rm -rf ${oddFolder}/deep ${oddFolder}/*x*; echo x >${oddFolder}/new`,
    );

    await method.restore(restoreContextOf(context, point));

    await pullTree(ground, workload, after);
    const read = (directory: string): TreeAttributes =>
      readTreeAttributes({ directory, attributes: !lacksAttributes, skip: ['.lifeboat-generation'] });
    expect(differencesOf(read(before), read(after))).toEqual([]);
    expect(differencesOf(withoutOwners(read(made)), withoutOwners(read(after)))).toEqual([]);
  } finally {
    await sh(ground, workload, `chmod -R u+rwx ${oddFolder}; rm -rf ${oddFolder}`);
    removeFolders([made, before, after]);
  }
}

function withoutOwners(tree: TreeAttributes): TreeAttributes {
  return new Map(
    [...tree].map(([path, is]) => [
      path,
      is.replace(/^(type .*?) owner [0-9]+:[0-9]+/s, '$1').replace(/^# (owner|group): .*\n/gm, ''),
    ]),
  );
}

const tarFlags = ['--xattrs', '--acls', '--numeric-owner'];

async function pushTree(ground: MethodGround, workload: BoundWorkload, directory: string): Promise<void> {
  const local = spawn('tar', ['-C', directory, ...tarFlags, '-cf', '-', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const command = ['tar', '-C', oddFolder, ...tarFlags, '-xpf', '-'];
  await streamToPod(ground.backends.access, await ground.podOf(workload), command, local.stdout, {});
}

async function pullTree(ground: MethodGround, workload: BoundWorkload, directory: string): Promise<void> {
  const command = ['tar', '-C', oddFolder, ...tarFlags, '-cf', '-', '.'];
  const source = streamFromPod(ground.backends.access, await ground.podOf(workload), command);
  const tar = await bytesOf(source.bytes);
  expect(await source.end()).toMatchObject({ exitCode: 0, digestSha256: sha256(tar) });
  execFileSync('tar', ['-C', directory, ...tarFlags, '--warning=no-timestamp', '-xpf', '-'], { input: tar });
}
