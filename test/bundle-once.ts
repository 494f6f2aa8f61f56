import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleWorkflows } from '../workers/run-worker.ts';

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions -- only an interface can be merged
  interface ProvidedContext {
    /** Path of the bundle of the workflows. */
    workflowBundle: string;
  }
}

/** Bundles the workflows once for all test files of a suite. */
export async function setup(project: {
  provide(key: 'workflowBundle', path: string): void;
}): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'lifeboat-workflows-'));
  const path = join(folder, 'bundle.js');
  const { code } = await bundleWorkflows();
  await writeFile(path, code);
  project.provide('workflowBundle', path);
  return async () => {
    await rm(folder, { recursive: true });
  };
}
