import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleOption } from '@temporalio/worker';
import { cacheDirectory } from './tools/cache-directory.ts';
import { fileExists } from './tools/file-exists.ts';

const root = join(import.meta.dirname, '..');

/** What the bundle is made of: the workflows, the pure code that they import, and the versions of the libraries. */
const folders = ['workflows', 'model'];
const versions = ['package.json', 'node_modules/.package-lock.json'];

/**
 * The workflow bundle. Bundling takes seconds of a processor, and a worker that comes back after a crash
 * should not spend them: a bundle is kept in the cache under the digest of everything that goes into it. Where the cache
 * cannot be written, it is made each time.
 */
export async function workflowBundle(): Promise<WorkflowBundleOption> {
  const folder = join(cacheDirectory(), 'workflows');
  const codePath = join(folder, `${await digestOfSources()}.js`);
  if (await fileExists(codePath)) return { codePath };
  const bundle = await bundleWorkflowCode({
    workflowsPath: join(root, 'workflows', 'index.ts'),
    logger: new DefaultLogger('ERROR'),
  });
  try {
    await mkdir(folder, { recursive: true });
    const writing = `${codePath}.${String(process.pid)}`;
    await writeFile(writing, bundle.code);
    await rename(writing, codePath);
    return { codePath };
  } catch {
    return bundle;
  }
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256').update(root);
  const listed = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    ),
  );
  const files = [...listed.flat(), ...versions.map((file) => join(root, file))].sort();
  for (const file of files) hash.update(`${file}\n`).update(await readFile(file).catch(() => ''));
  return hash.digest('hex').slice(0, 32);
}
