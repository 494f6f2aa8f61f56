import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { baseDigest, makeBase } from '../../sandbox/images/layers.ts';
import { aptInstall } from '../../sandbox/machine.ts';
import { run, tryRun, waitUntil } from '../../sandbox/run.ts';
import { fileExists } from '../../workers/tools/file-exists.ts';
import { findTool } from '../../workers/tools/find-tool.ts';

/** A Docker engine of the test's own, with Compose. */
export type DockerEngine = {
  /** Runs `docker …`; a bad exit throws. */
  docker: (args: readonly string[], timeoutMs?: number) => Promise<string>;
  close: () => Promise<void>;
};

/**
 * Starts Debian's engine beside the sandbox. It touches no packet filter and has no bridge of its own: what Compose makes
 * is all that it adds to the machine.
 * @throws where no engine starts here
 */
export async function startDockerEngine(env: Readonly<Record<string, string>>): Promise<DockerEngine> {
  // No service of the machine is started by it.
  if (!(await fileExists('/usr/sbin/dockerd'))) await aptInstall(['docker.io'], { RUNLEVEL: '1' });
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-docker-'));
  const plugins = join(directory, 'config', 'cli-plugins');
  await mkdir(plugins, { recursive: true });
  await symlink(await findTool('docker-compose'), join(plugins, 'docker-compose'));
  const socket = `unix://${join(directory, 'docker.sock')}`;
  const all = { ...env, DOCKER_HOST: socket, DOCKER_CONFIG: join(directory, 'config'), DOCKER_BUILDKIT: '0' };
  const docker: DockerEngine['docker'] = async (args, timeoutMs = 60_000) =>
    await run('/usr/bin/docker', args, { env: all, timeoutMs });
  let said = '';
  const daemon = spawn(
    '/usr/sbin/dockerd',
    [
      ...['--iptables=false', '--ip6tables=false', '--ip-masq=false', '--bridge=none'],
      ...['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'run')],
      ...['--pidfile', join(directory, 'docker.pid'), '--host', socket],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  daemon.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString('utf8')}`.slice(-2_000);
  });
  // A file whose tests are all left out closes nothing.
  const kill = (): void => {
    daemon.kill('SIGTERM');
  };
  process.once('exit', kill);
  const close = async (): Promise<void> => {
    process.off('exit', kill);
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    if (daemon.exitCode === null && daemon.kill('SIGTERM')) await ended;
    await tryRun('umount', [join(directory, 'run', 'netns', 'default')]);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await waitUntil(
      'start dockerd',
      async () => {
        if (daemon.exitCode !== null)
          throw new Error(`start dockerd: it ended: ${said.trim().split('\n').at(-1) ?? ''}`);
        return await tryRun('/usr/bin/docker', ['info'], { env: all });
      },
      { timeoutMs: 60_000 },
    );
    return { docker, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Images under the names that the Dockerfile and docker-compose.yml ask for, made of Debian and the same programs: for a
 * machine without a registry of containers.
 */
export async function makeStandInImages({ docker }: DockerEngine): Promise<void> {
  const base = await makeBase(await baseDigest());
  await docker(['import', base.file, 'stand-in'], 5 * 60_000);
  const npm = (await run('npm', ['root', '--global'])).trim();
  const certificates = process.env['NODE_EXTRA_CA_CERTS'] ?? '/etc/ssl/certs/ca-certificates.crt';
  await build(
    'node:24-bookworm-slim',
    [
      ['node', process.execPath],
      ['npm', join(npm, 'npm')],
      ['certificates', certificates],
    ],
    [
      'COPY node /usr/local/bin/node',
      'COPY npm /usr/local/lib/node_modules/npm',
      'COPY certificates /etc/ssl/certs/ca-certificates.crt',
      // What this machine trusts: its registry may be behind a proxy.
      'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt',
      'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
    ],
  );
  await build(
    'temporalio/temporal:1.9.1',
    [['temporal', await findTool('temporal')]],
    [
      'COPY temporal /usr/local/bin/temporal',
      'RUN useradd --create-home --uid 1000 temporal',
      'USER temporal',
      'ENTRYPOINT ["temporal"]',
    ],
  );
  await build(
    'versity/versitygw:v1.8.0',
    [
      ['versitygw', await findTool('versitygw')],
      ['wget', join(import.meta.dirname, 'stand-in-wget.sh')],
    ],
    [
      'COPY versitygw /app/versitygw',
      // The official image has that of busybox.
      'COPY wget /usr/local/bin/wget',
      'RUN chmod +x /usr/local/bin/wget',
      'ENTRYPOINT ["/app/versitygw"]',
    ],
  );

  async function build(
    name: string,
    files: readonly (readonly [name: string, source: string])[],
    lines: readonly string[],
  ): Promise<void> {
    const context = await mkdtemp(join(tmpdir(), 'lifeboat-image-'));
    try {
      for (const [file, source] of files) await cp(source, join(context, file), { recursive: true, dereference: true });
      await writeFile(join(context, 'Dockerfile'), ['FROM stand-in', ...lines, ''].join('\n'));
      await docker(['build', '--quiet', '--network', 'none', '--tag', name, context], 5 * 60_000);
    } finally {
      await rm(context, { recursive: true, force: true });
    }
  }
}
