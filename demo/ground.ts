import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { SandboxRelease } from '../sandbox/platform/release.ts';
import { bringUp, type Sandbox } from '../sandbox/sandbox.ts';

/** What the demo was asked for. */
export type DemoOptions = {
  readonly keep: boolean;
  readonly json: boolean;
  readonly context?: string | undefined;
  readonly temporal?: string | undefined;
  readonly store?: string | undefined;
};

/** Brings up what the user does not bring: Kubernetes and the object store. Temporal is the demo's own. */
export async function openGround(options: DemoOptions, progress: (line: string) => void): Promise<Sandbox> {
  const own = await bringUp({ kubernetes: options.context === undefined, temporal: false }, progress);
  const home = process.env['HOME'] ?? '';
  return {
    ...own,
    ...(options.context === undefined
      ? {}
      : { context: options.context, kubeconfig: process.env['KUBECONFIG'] ?? join(home, '.kube', 'config') }),
    ...(options.store === undefined
      ? {}
      : {
          s3: {
            endpoint: process.env['AWS_ENDPOINT_URL'] ?? 'https://s3.amazonaws.com',
            podEndpoint: process.env['AWS_ENDPOINT_URL'] ?? 'https://s3.amazonaws.com',
            region: process.env['AWS_REGION'] ?? 'us-east-1',
            accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '',
            secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '',
          },
        }),
  };
}

/** The releases with the images of their charts instead of the sandbox's own. */
export async function withOfficialImages(releases: readonly SandboxRelease[]): Promise<SandboxRelease[]> {
  return await Promise.all(
    releases.map(async (release) => {
      const text = await readFile(join(import.meta.dirname, '..', 'charts', release.chart, 'values.yaml'), 'utf8');
      const { image } = parseYaml(text) as { image: Record<string, unknown> };
      return { ...release, values: { ...release.values, image: { tag: '', ...image } } };
    }),
  );
}
