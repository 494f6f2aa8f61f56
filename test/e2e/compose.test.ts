import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { RecoveryKit } from '../../model/recovery-kit.ts';
import { checkout } from '../../sandbox/layout.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { installPlatform } from '../../sandbox/platform/install-platform.ts';
import { smallPlatform } from '../../sandbox/platform/release.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';
import { type DockerEngine, makeStandInImages, startDockerEngine } from './docker-engine.ts';
import { openSandbox } from './ground.ts';

const platform = smallPlatform('e2e-compose').filter(({ chart }) => chart === 'redis');
const ports = { TEMPORAL_PORT: '17233', TEMPORAL_UI_PORT: '18233', STORE_PORT: '17070' };
const secret = 'a-secret-of-the-compose-test';

const directory = await mkdtemp(join(tmpdir(), 'lifeboat-compose-'));
const env = {
  ...ports,
  STORE_ACCESS_KEY: 'lifeboat',
  STORE_SECRET_KEY: secret,
  LIFEBOAT_USER: '0:0',
  LIFEBOAT_PLATFORM: directory,
  LIFEBOAT_KUBECONFIG: join(directory, 'kubeconfig'),
  LIFEBOAT_KIT: join(directory, 'recovery-kit.json'),
};
const engine = await startDockerEngine(env).catch((error: unknown) => String(error));

if (typeof engine === 'string') process.stderr.write(`SKIPPED docker-compose.yml: ${engine}\n`);

describe.skipIf(typeof engine === 'string')(
  `docker-compose.yml${typeof engine === 'string' ? ` (${engine})` : ''}`,
  () => {
    let sandbox: Sandbox;
    const { docker, close } = engine as DockerEngine;
    const compose = async (args: readonly string[], timeoutMs?: number): Promise<string> =>
      await docker(['compose', '--project-directory', checkout, ...args], timeoutMs);

    beforeAll(async () => {
      sandbox = await openSandbox();
      await Promise.all([installPlatform(sandbox, platform), makeStandInImages(engine as DockerEngine)]);
      await docker(['build', '--network', 'host', '--tag', 'lifeboat', checkout], 10 * 60_000);
      await docker(
        ['run', '--rm', '--network', 'none', '--user', '0:0', '--volume', `${directory}:/platform`, 'lifeboat'].concat([
          'keys',
          'create',
          '--platform',
          'shop',
          '--store',
          's3://lifeboat/dr',
          '--endpoint',
          'http://store:7070',
        ]),
      );
      const kit = RecoveryKit.parse(JSON.parse(await readFile(env.LIFEBOAT_KIT, 'utf8')));
      await copyFile(sandbox.kubeconfig, env.LIFEBOAT_KUBECONFIG);
      await writeFile(
        join(directory, 'lifeboat.yaml'),
        stringify({
          apiVersion: 'lifeboat/v1',
          platform: 'shop',
          cluster: { name: 'sandbox', context: sandbox.context },
          temporal: { address: 'temporal:7233' },
          store: { url: 's3://lifeboat/dr', endpoint: 'http://store:7070', region: 'us-east-1' },
          recipients: kit.recipients,
          releases: platform.map(({ namespace, name, chart }) => ({
            release: `${namespace}/${name}`,
            chart: `/opt/lifeboat/charts/${chart}`,
          })),
        }),
      );
    });

    afterAll(async () => {
      await compose(['down', '--volumes', '--timeout', '10'], 120_000).catch(() => undefined);
      await close();
      await rm(directory, { recursive: true, force: true });
      await deleteNamespaces(sandbox, ['e2e-compose-data']);
    });

    it('starts Temporal, the store and a worker, which backs up and verifies a real release', async () => {
      await compose(['up', '--detach', '--wait', '--wait-timeout', '240'], 300_000);

      const services = (await compose(['ps', '--format', '{{.Service}} {{.Health}}'])).trim().split('\n').sort();
      expect(services).toEqual(['store healthy', 'temporal healthy', 'worker healthy']);
      expect((await fetch(`http://127.0.0.1:${ports.TEMPORAL_UI_PORT}/namespaces/default/workflows`)).status).toBe(200);

      const lifeboat = async (args: readonly string[]): Promise<{ outcome: string }> =>
        JSON.parse(await compose(['exec', '-T', 'worker', 'lifeboat', ...args, '--json'], 240_000)) as {
          outcome: string;
        };
      const [release] = platform.map(({ namespace, name }) => `${namespace}/${name}`);
      expect(await lifeboat(['backup', release ?? ''])).toMatchObject({ outcome: 'complete' });
      expect(await lifeboat(['verify', '--all'])).toMatchObject({ outcome: 'complete' });
    });

    it('has no secret in its files, and none in the image', async () => {
      const files = await Promise.all(
        ['docker-compose.yml', 'Dockerfile', '.env.example'].map((file) => readFile(join(checkout, file), 'utf8')),
      );
      expect(files.join('\n')).not.toMatch(/AGE-SECRET-KEY|PRIVATE KEY|STORE_SECRET_KEY=\S/);
      const history = await docker(['history', '--no-trunc', '--format', '{{.CreatedBy}}', 'lifeboat']);
      expect(history).toContain('npm ci --omit=dev');
      expect(history).not.toContain(secret);
    });
  },
);
