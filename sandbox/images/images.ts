import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Layout, pauseImage } from '../layout.ts';
import { type Progress, run, timed } from '../run.ts';
import {
  baseDigest,
  imageCache,
  type Layer,
  makeBase,
  makeLayer,
  makePauseLayer,
  removeUnfinishedBuilds,
} from './layers.ts';
import { findMoverContents, makeMoverLayers, moverConfig, moverImage } from './mover-image.ts';
import { type Image, writeOciLayout } from './oci-layout.ts';
import { type FoundRecipe, findRecipes } from './recipe.ts';

/** How many layers are built at once: each is mostly dpkg, one thread. */
const buildsAtOnce = 2;

/** An image that is ready to be imported, with the digest of its recipe. */
type BuiltImage = Image & { readonly recipeDigest: string };

/** Builds the layers of all recipes that the cache lacks. */
export async function buildImages(progress: Progress): Promise<BuiltImage[]> {
  await removeUnfinishedBuilds();
  const digest = await baseDigest();
  const recipes = await findRecipes(digest);
  const pause = await makePauseLayer();
  const base = await announce(progress, 'base image', () => makeBase(digest));
  const contents = await findMoverContents();
  const mover = await announce(progress, `image ${moverImage}`, () => makeMoverLayers(contents));
  const layers = await eachBounded(recipes, (found) =>
    announce(progress, `image ${found.recipe.image}`, () => makeLayer(found, base.root)),
  );
  return [
    {
      name: pauseImage,
      config: { env: {}, workingDir: '/', entrypoint: ['/usr/bin/catatonit', '-P'], exposedPorts: [] },
      layers: [pause],
      recipeDigest: pause.sha256,
    },
    { name: moverImage, config: moverConfig, layers: [base, ...mover], recipeDigest: contents.digest },
    ...recipes.map((found, index) => builtImage(found, base, layers[index])),
  ];
}

/** Imports the images that containerd does not have in this version yet. */
export async function importImages(at: Layout, images: readonly BuiltImage[], progress: Progress): Promise<void> {
  const imported = await readImported(at);
  const missing = images.filter((image) => imported[image.name] !== image.recipeDigest);
  if (missing.length === 0) return;
  await timed(progress, `${String(missing.length)} images imported`, async () => {
    // The two smallest bring the base layer, which the others share; those go in two lanes, since one thread unpacks each.
    const bySize = missing.toSorted((one, other) => sizeOf(one) - sizeOf(other));
    await importTogether(at, bySize.slice(0, 2));
    const rest = bySize.slice(2);
    await Promise.all(
      [0, 1].map((lane) =>
        importTogether(
          at,
          rest.filter((_, index) => index % 2 === lane),
        ),
      ),
    );
    const now = { ...imported, ...Object.fromEntries(missing.map((image) => [image.name, image.recipeDigest])) };
    await writeFile(`${at.importedImages}.new`, JSON.stringify(now, null, 2));
    await rename(`${at.importedImages}.new`, at.importedImages);
  });
}

function sizeOf(image: Image): number {
  return image.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
}

async function importTogether(at: Layout, images: readonly Image[]): Promise<void> {
  if (images.length === 0) return;
  const staging = await mkdtemp(join(imageCache(), '.staging-'));
  try {
    await writeOciLayout(staging, images);
    const pipe = 'set -o pipefail; tar -C "$1" --dereference -cf - . | ctr --address "$2" -n k8s.io images import -';
    await run('bash', ['-c', pipe, 'import', staging, at.containerdSocket], { timeoutMs: 15 * 60_000 });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Whether every image of the checkout's recipes is imported; builds nothing. */
export async function imagesAreImported(at: Layout): Promise<boolean> {
  const imported = await readImported(at);
  const recipes = await findRecipes(await baseDigest());
  return (
    imported[pauseImage] !== undefined &&
    imported[moverImage] === (await findMoverContents()).digest &&
    recipes.every(({ recipe, digest }) => imported[recipe.image] === digest)
  );
}

function builtImage({ recipe, digest }: FoundRecipe, base: Layer, layer: Layer | undefined): BuiltImage {
  return {
    name: recipe.image,
    config: recipe.config,
    layers: layer === undefined ? [base] : [base, layer],
    recipeDigest: digest,
  };
}

async function readImported(at: Layout): Promise<Record<string, string>> {
  return JSON.parse(await readFile(at.importedImages, 'utf8').catch(() => '{}')) as Record<string, string>;
}

/** Says how long a step took when it took long enough to be work. */
async function announce<T>(progress: Progress, what: string, step: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const result = await step();
  const seconds = (Date.now() - started) / 1000;
  if (seconds > 2) progress(`${what}  ${String(Math.round(seconds))} s`);
  return result;
}

async function eachBounded<T, R>(items: readonly T[], step: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array<R>(items.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await step(items[index] as T);
  };
  await Promise.all(Array.from({ length: buildsAtOnce }, lane));
  return results;
}
