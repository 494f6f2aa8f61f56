import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Platform } from '../model/platform.ts';
import { RecoveryKit } from '../model/recovery-kit.ts';
import { createBucket } from '../sandbox/object-store.ts';
import { releaseLabel, type SandboxRelease } from '../sandbox/platform/release.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { type CommandSetting, lifeboat } from './command.ts';

/** A platform with its store and keys, as a user sets it up: a folder with lifeboat.yaml and the recovery kit. */
export type Setting = CommandSetting & {
  readonly configPath: string;
  readonly kitPath: string;
  readonly storeUrl: string;
  readonly kit: RecoveryKit;
};

/** What differs from one platform to another. */
export type SettingOptions = {
  readonly platform: string;
  readonly releases: readonly SandboxRelease[];
  readonly bucket?: string;
  readonly temporalAddress?: string;
  /** Default: `s3://<bucket>/dr` on the sandbox's server. */
  readonly storeUrl?: string;
  /** Over the defaults of lifeboat.yaml. */
  readonly overrides?: Partial<Omit<Platform, 'releases'>>;
  /** By `namespace/name`. */
  readonly releaseOverrides?: Readonly<Record<string, Partial<Platform['releases'][number]>>>;
};

/** What lifeboat.yaml calls the cluster. */
export const clusterName = 'sandbox';

const charts = join(import.meta.dirname, '..', 'charts');

/** Makes the folder, the bucket, the recovery kit (by `lifeboat keys create`) and lifeboat.yaml. */
export async function makeSetting(sandbox: Sandbox, directory: string, options: SettingOptions): Promise<Setting> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const bucket = options.bucket ?? `lifeboat-${options.platform}`;
  if (options.storeUrl === undefined) await createBucket(sandbox, bucket);
  const storeUrl = options.storeUrl ?? `s3://${bucket}/dr`;
  const env = {
    AWS_ACCESS_KEY_ID: sandbox.s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: sandbox.s3.secretAccessKey,
    KUBECONFIG: sandbox.kubeconfig,
    LIFEBOAT_HELM: sandbox.tools.helm,
    LIFEBOAT_KUBECTL: sandbox.tools.kubectl,
    LIFEBOAT_TEMPORAL: sandbox.tools.temporal,
  };
  const kitPath = join(directory, 'recovery-kit.json');
  const made = await lifeboat({ directory, env }, [
    '--key',
    kitPath,
    'keys',
    'create',
    '--platform',
    options.platform,
    '--store',
    storeUrl,
    '--endpoint',
    sandbox.s3.endpoint,
    '--region',
    sandbox.s3.region,
  ]);
  if (made.exitCode !== 0) throw new Error(`lifeboat keys create: ${made.stderr}`);
  const kit = RecoveryKit.parse(JSON.parse(await readFile(kitPath, 'utf8')));
  const document = {
    apiVersion: 'lifeboat/v1',
    platform: options.platform,
    cluster: { name: clusterName, context: sandbox.context },
    temporal: { address: options.temporalAddress ?? sandbox.temporal.address },
    store: { url: storeUrl, endpoint: sandbox.s3.endpoint, region: sandbox.s3.region },
    recipients: kit.recipients,
    ...options.overrides,
    releases: options.releases.map((release) => ({
      release: releaseLabel(release),
      chart: join(charts, release.chart),
      ...options.releaseOverrides?.[releaseLabel(release)],
    })),
  };
  const configPath = join(directory, 'lifeboat.yaml');
  await writeFile(configPath, stringify(document), { mode: 0o600 });
  return {
    directory,
    env: { ...env, LIFEBOAT_CONFIG: configPath, LIFEBOAT_KEY: kitPath },
    configPath,
    kitPath,
    storeUrl,
    kit,
  };
}
