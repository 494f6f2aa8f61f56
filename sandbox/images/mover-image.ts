import { createHash } from 'node:crypto';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { checkout } from '../layout.ts';
import { run } from '../run.ts';
import { type Layer, makeLayerFrom } from './layers.ts';
import type { ImageRecipe } from './recipe.ts';

/** The image of movers in the sandbox: what the project's own image has, as far as a mover needs it. */
export const moverImage = 'lifeboat.local/mover:1';

const home = '/opt/lifeboat';
const start = ['bin/lifeboat.js', 'bin/node-start.json', 'package.json', 'workers/mover/main.ts'];

export const moverConfig: ImageRecipe['config'] = {
  user: '1000:1000',
  env: { PATH: '/usr/local/bin:/usr/bin:/bin', NODE_ENV: 'production', HOME: '/tmp' },
  workingDir: '/',
  entrypoint: [`${home}/node_modules/node/bin/node`, `${home}/bin/lifeboat.js`],
  exposedPorts: [],
};

/** What a mover imports, out of the checkout: files of ours, and packages with all that these need. */
export type MoverContents = {
  readonly files: readonly string[];
  readonly packages: readonly string[];
  /** Of the packages, and of all of it. */
  readonly packagesDigest: string;
  readonly digest: string;
};

/** Follows the imports of the mover's process. */
export async function findMoverContents(): Promise<MoverContents> {
  const files = new Set<string>();
  const roots = new Set<string>(['node']);
  const hash = createHash('sha256');
  for (const waiting = [...start]; waiting.length > 0; ) {
    const file = waiting.pop() as string;
    if (files.has(file)) continue;
    files.add(file);
    const text = await readFile(join(checkout, file), 'utf8');
    if (!file.endsWith('.ts')) continue;
    // Also what is started as a thread, which no import names.
    for (const [, path = ''] of text.matchAll(/'(\.{1,2}\/[^']+\.ts)'/g))
      waiting.push(relative(checkout, join(checkout, dirname(file), path)));
    for (const [, name = ''] of text.matchAll(/(?:from |import\()'([^.'][^']*)'/g))
      if (!name.startsWith('node:')) roots.add(packageOf(name));
  }
  const packages = await withDependencies(roots);
  const versions = await Promise.all(packages.map(async (path) => `${path} ${(await readPackage(path)).version}`));
  const packagesDigest = createHash('sha256').update(versions.join('\n')).digest('hex').slice(0, 16);
  hash.update(packagesDigest);
  for (const file of [...files].sort()) hash.update(file).update(await readFile(join(checkout, file)));
  return { files: [...files].sort(), packages, packagesDigest, digest: hash.digest('hex').slice(0, 16) };
}

/** Its layers over the base: the packages, which change seldom, and the files. */
export async function makeMoverLayers({ files, packages, packagesDigest, digest }: MoverContents): Promise<Layer[]> {
  const layer = (name: string, paths: readonly string[]): Promise<Layer> =>
    makeLayerFrom(name, async (building) => {
      const root = join(building, 'root');
      for (const path of paths) {
        const to = join(root, home, path);
        await mkdir(dirname(to), { recursive: true });
        await cp(join(checkout, path), to, { recursive: true, filter: (from) => !isNested(from, path) });
      }
      const owner = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mode=a+rX,u+w'];
      await run('tar', ['-C', root, ...owner, '-cf', join(building, 'layer.tar'), '.']);
    });
  return [await layer(`mover-packages-${packagesDigest}`, packages), await layer(`mover-${digest}`, files)];
}

/** Packages below a package are named by themselves. */
function isNested(from: string, path: string): boolean {
  return path.startsWith('node_modules/') && relative(join(checkout, path), from).startsWith('node_modules');
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Folders of packages and of all that they depend on, as npm has laid them out. */
async function withDependencies(roots: ReadonlySet<string>): Promise<string[]> {
  const found = new Set<string>();
  const waiting = [...roots].map((name) => ({ name, from: '' }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const path = await locate(next.name, next.from);
    if (path === undefined || found.has(path)) continue;
    found.add(path);
    const { dependencies = {} } = await readPackage(path);
    for (const name of Object.keys(dependencies)) waiting.push({ name, from: path });
  }
  return [...found].sort();
}

/** A package as Node finds it from another one: below that, or above. */
async function locate(name: string, from: string): Promise<string | undefined> {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (await readPackage(path).then(Boolean, () => false)) return path;
    if (at === '') return undefined;
  }
}

async function readPackage(path: string): Promise<{ version: string; dependencies?: Record<string, string> }> {
  return JSON.parse(await readFile(join(checkout, path, 'package.json'), 'utf8')) as {
    version: string;
    dependencies?: Record<string, string>;
  };
}
