import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, lifeboat } from '../../demo/command.ts';
import { deleteNamespaces } from '../../sandbox/platform/delete-namespaces.ts';
import { helmClusterArgs } from '../../sandbox/platform/kubectl.ts';
import { run } from '../../sandbox/run.ts';
import { clusterState } from '../e2e/as-it-was.ts';
import { type Ground, openGround } from '../e2e/ground.ts';

const strange = 'e2e-strange';

/** How long bad input may take to be refused. */
const limitMs = 10_000;

describe('bad input', () => {
  let ground: Ground;
  let config: string;
  let before: string[];

  beforeAll(async () => {
    ground = await openGround('bad-input');
    await ground.startWorker();
    config = await readFile(ground.setting.configPath, 'utf8');
    before = await clusterState(ground);
  });

  afterAll(async () => {
    expect(await clusterState(ground)).toEqual(before);
    await ground.close();
    await deleteNamespaces(ground.sandbox, [strange]);
  });

  /** Runs a command with another lifeboat.yaml; it has to answer in time, in one clear line with what to do. */
  async function refused(
    args: readonly string[],
    of: { exitCode: number; says: RegExp; config?: string; env?: Record<string, string> },
  ): Promise<CommandResult> {
    const since = Date.now();
    const path = join(ground.setting.directory, 'other.yaml');
    await writeFile(path, of.config ?? config);
    const ran = await lifeboat(
      { ...ground.setting, env: { ...ground.setting.env, ...of.env, LIFEBOAT_CONFIG: path } },
      args,
    );
    const took = Date.now() - since;
    const said = `${ran.stdout}${ran.stderr}`;
    expect(said).toMatch(of.says);
    expect(ran.exitCode, said).toBe(of.exitCode);
    expect(said).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(took).toBeLessThan(limitMs);
    return ran;
  }

  it('names the releases there are for an unknown one', async () => {
    await refused(['backup', 'data/nothing'], {
      exitCode: 2,
      says: /unknown release data\/nothing: lifeboat\.yaml has e2e-bad-input-data\/postgresql, e2e-bad-input-data\/redis/,
    });
  });

  it('refuses an unknown flag and points to the help', async () => {
    await refused(['backup', '--nonsense'], { exitCode: 2, says: /unknown option '--nonsense'[^]*lifeboat help VERB/ });
  });

  it('refuses an unknown verb', async () => {
    await refused(['restore'], { exitCode: 2, says: /unknown command 'restore'/ });
  });

  it('names the line of broken YAML', async () => {
    await refused(['backup'], {
      exitCode: 2,
      config: `${config}\nreleases: [`,
      says: /ConfigInvalid: read .*other\.yaml: .*line/,
    });
  });

  it('lists the keys that lifeboat.yaml does not have', async () => {
    await refused(['backup'], { exitCode: 2, config: `${config}\nstroe: s3://x\n`, says: /ConfigInvalid[^]*stroe/ });
  });

  it('refuses a plan with an unknown method', async () => {
    const plans = join(ground.setting.directory, 'plans', 'postgresql');
    await mkdir(plans, { recursive: true });
    const plan = await readFile(join(import.meta.dirname, '..', '..', 'charts', 'postgresql', 'recovery.yaml'), 'utf8');
    await writeFile(join(plans, 'recovery.yaml'), plan.replace('method: pg-dump', 'method: pg-magic'));
    await refused(['plan', 'check', plans], { exitCode: 2, says: /PlanInvalid[^]*method/ });
  });

  it('says that a folder holds no plan', async () => {
    await refused(['plan', 'check', join(import.meta.dirname)], { exitCode: 2, says: /PlanNotFound/ });
  });

  it('says that the cluster does not answer', async () => {
    const kubeconfig = join(ground.setting.directory, 'nowhere.kubeconfig');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': ground.sandbox.context,
        clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:59998' } }],
        users: [{ name: 'u', user: {} }],
        contexts: [{ name: ground.sandbox.context, context: { cluster: 'c', user: 'u' } }],
      }),
    );
    await refused(['repair'], { exitCode: 1, env: { KUBECONFIG: kubeconfig }, says: /ClusterUnreachable/ });
  });

  it('says that Temporal does not answer', async () => {
    await refused(['backup'], {
      exitCode: 1,
      config: config.replace(ground.sandbox.temporal.address, '127.0.0.1:1'),
      says: /TemporalUnreachable: connect to Temporal at 127\.0\.0\.1:1[^]*recover --local/,
    });
  });

  it('says that the bucket does not answer', async () => {
    await refused(['points'], {
      exitCode: 1,
      config: config.replace(ground.sandbox.s3.endpoint, 'http://127.0.0.1:1'),
      says: /StoreUnreachable/,
    });
  });

  it('says that the bucket is not there', async () => {
    await refused(['points'], {
      exitCode: 1,
      config: config.replace(/s3:\/\/[^/]+/, 's3://no-such-bucket'),
      says: /StoreNotFound/,
    });
  });

  it('says that credentials are refused', async () => {
    const env = { AWS_SECRET_ACCESS_KEY: 'expired' };
    await refused(['points'], { exitCode: 1, env, says: /StoreDenied/ });
    const { stdout } = await refused(['doctor'], { exitCode: 1, env, says: /✗ store +StoreDenied/ });
    expect(stdout, 'the rest is looked at all the same').toMatch(/✓ helm[^]*✓ cluster[^]*✓ kubectl/);
  });

  it('says that no worker runs a different lifeboat.yaml', async () => {
    await refused(['backup', 'e2e-bad-input-data/redis'], {
      exitCode: 4,
      config: `${config}\n# another file\n`,
      says: /ConfigDiffers/,
    });
  });

  it('says that helm is too old', async () => {
    const helm = join(ground.setting.directory, 'old-helm');
    await writeFile(helm, '#!/bin/sh\necho v3.2.0\n');
    await chmod(helm, 0o755);
    const ran = await refused(['doctor'], {
      exitCode: 1,
      env: { LIFEBOAT_HELM: helm },
      says: /helm.*3\.2\.0.*too old/,
    });
    expect(ran.stdout).toContain('✗');
  });

  it('says which charts have a plan, for a release whose chart has none', async () => {
    const chart = join(ground.setting.directory, 'strange');
    await mkdir(join(chart, 'templates'), { recursive: true });
    await writeFile(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: strange\nversion: 1.0.0\n');
    const { sandbox } = ground;
    const cluster = helmClusterArgs(sandbox);
    await run(sandbox.tools.helm, ['install', 'strange', chart, '-n', strange, '--create-namespace', ...cluster]);
    const withStrange = `${config}  - { release: ${strange}/strange, chart: ${chart} }\n`;
    await writeFile(join(ground.setting.directory, 'strange.yaml'), withStrange);
    await ground.startWorker({ LIFEBOAT_CONFIG: join(ground.setting.directory, 'strange.yaml') });

    await refused(['backup', `${strange}/strange`], {
      exitCode: 4,
      config: withStrange,
      says: /PlanNotFound: find plan of chart strange[^]*there are plans for alertmanager, mariadb, memcached, [^]*recovery\.yaml/,
    });
  });

  it('never overwrites a recovery kit', async () => {
    const kit = await readFile(ground.setting.kitPath, 'utf8');
    await refused(['keys', 'create', '--platform', 'x', '--store', 'file:///tmp/x'], {
      exitCode: 2,
      says: /it is there already/,
    });
    expect(await readFile(ground.setting.kitPath, 'utf8')).toBe(kit);
  });
});
