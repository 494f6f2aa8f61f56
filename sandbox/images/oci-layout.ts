import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Layer } from './layers.ts';
import type { ImageRecipe } from './recipe.ts';

/** An image as it is written: name, settings, layers from the base up. */
export type Image = {
  readonly name: string;
  readonly config: ImageRecipe['config'];
  readonly layers: readonly Layer[];
};

const types = {
  layer: 'application/vnd.oci.image.layer.v1.tar',
  config: 'application/vnd.oci.image.config.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
} as const;

/** Writes images as one OCI layout; layers are symbolic links, and a shared one is there once. */
export async function writeOciLayout(directory: string, images: readonly Image[]): Promise<void> {
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
  const manifests = [];
  for (const image of images) {
    for (const layer of image.layers) await linkOnce(layer.file, join(directory, 'blobs', 'sha256', layer.sha256));
    const config = await writeBlob(directory, types.config, imageConfig(image));
    const layers = image.layers.map((layer) => ({
      mediaType: types.layer,
      digest: `sha256:${layer.sha256}`,
      size: layer.sizeBytes,
    }));
    const manifest = await writeBlob(directory, types.manifest, {
      schemaVersion: 2,
      mediaType: types.manifest,
      config,
      layers,
    });
    manifests.push({
      ...manifest,
      annotations: { 'io.containerd.image.name': image.name, 'org.opencontainers.image.ref.name': image.name },
    });
  }
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  await writeFile(join(directory, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

function imageConfig({ config, layers }: Image): object {
  const { user, env, workingDir, entrypoint, cmd, exposedPorts } = config;
  return {
    architecture: 'amd64',
    os: 'linux',
    config: {
      ...(user === undefined ? {} : { User: user }),
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      WorkingDir: workingDir,
      ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
      ...(cmd === undefined ? {} : { Cmd: cmd }),
      ExposedPorts: Object.fromEntries(exposedPorts.map((port) => [`${String(port)}/tcp`, {}])),
    },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${layer.sha256}`) },
  };
}

async function writeBlob(
  directory: string,
  mediaType: string,
  content: object,
): Promise<{ mediaType: string; digest: string; size: number }> {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = createHash('sha256').update(bytes).digest('hex');
  await writeFile(join(directory, 'blobs', 'sha256', digest), bytes);
  return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
}

/** A symbolic link: hard links made and removed beside it would change the file that an archiver is reading. */
async function linkOnce(from: string, to: string): Promise<void> {
  await symlink(from, to).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
}
