import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { clusterName } from '../../demo/setting.ts';
import { aptInstall } from '../../sandbox/machine.ts';
import { run, tryRun } from '../../sandbox/run.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import type { Ground } from './ground.ts';

/**
 * Runs the blocks of a point's RESTORE.md in one shell in an empty folder, as a person does who has no Lifeboat.
 * @returns the names of the files that are left in the folder
 */
export async function followGuide(ground: Ground, release: string, point: string): Promise<string[]> {
  const { sandbox, setting } = ground;
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-by-hand-'));
  const tools = [dirname(sandbox.tools.kubectl), dirname(sandbox.tools.helm), process.env['PATH'] ?? ''];
  const env = { ...setting.env, KIT: setting.kitPath, PATH: tools.join(delimiter) };
  await installTools();
  try {
    const [namespace = '', name = ''] = release.split('/');
    const folderOfPoint = `${setting.storeUrl}/${pointPrefix({ cluster: clusterName, namespace, name }, point)}`;
    const source = ['--endpoint-url', sandbox.s3.endpoint, '--region', sandbox.s3.region, 's3', 'cp'];
    await run('aws', [...source, `${folderOfPoint}/RESTORE.md`, join(folder, 'RESTORE.md')], { env });
    const guide = await readFile(join(folder, 'RESTORE.md'), 'utf8');
    const blocks = [...guide.matchAll(/```bash\n(.*?)```/gs)].map(([, block = '']) => block);
    await run('bash', ['-c', `cd ${folder}\n${blocks.join('\n')}`], { env, timeoutMs: 10 * 60_000 });
    return await readdir(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function installTools(): Promise<void> {
  const has = async (tool: string): Promise<boolean> => (await tryRun(tool, ['--version'])) !== undefined;
  if (!(await has('jq')) || !(await has('aws'))) await aptInstall(['jq', 'awscli']);
}
