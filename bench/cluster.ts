import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import type { Backends } from '../activities/backends.ts';
import { bindRelease } from '../activities/binding/bind-release.ts';
import { openKubernetes } from '../activities/clients/kubernetes.ts';
import { runMover } from '../activities/executors/mover.ts';
import { streamFromPod } from '../activities/executors/pod-exec.ts';
import { moveClient, type PostgresServer } from '../activities/executors/postgres-server.ts';
import { storedToPod } from '../activities/executors/stored-stream.ts';
import { openStore } from '../activities/open-store.ts';
import { loadPlans } from '../activities/plan-catalogue.ts';
import type { MoverJob } from '../model/mover-job.ts';
import { Platform } from '../model/platform.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { Artifact } from '../model/recovery-point.ts';
import { moverImage } from '../sandbox/images/mover-image.ts';
import { checkout } from '../sandbox/layout.ts';
import { aptInstall } from '../sandbox/machine.ts';
import { createBucket } from '../sandbox/object-store.ts';
import { deleteNamespaces } from '../sandbox/platform/delete-namespaces.ts';
import { installPlatform } from '../sandbox/platform/install-platform.ts';
import { clusterArgs, kubectl } from '../sandbox/platform/kubectl.ts';
import { readSandbox } from '../sandbox/sandbox.ts';
import { readFileKeys } from '../transfer/file-keys.ts';
import { readArtifact, readPacked } from '../transfer/read-artifact.ts';
import { writeArtifact } from '../transfer/write-artifact.ts';
import { rclone, rcloneEnv } from './contenders.ts';
import { note } from './ground.ts';
import { measure } from './measure.ts';
import { median } from './results.ts';

/**
 * `npm run bench:cluster [-- --megabytes N] [--rounds N]`: a PostgreSQL database on the sandbox, half text and half random bytes,
 * dumped and restored by exec, by a mover and by hand, in rounds that take turns. Wall times, since server, pods, API server and
 * store share the machine.
 */
const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const [megabytes, rounds] = [Number(values.megabytes), Number(values.rounds)];
const namespace = 'bench-cluster';
const release = { chart: 'postgresql', namespace, name: 'postgresql' };
const found = await readSandbox();
if (found === undefined) throw new Error('the sandbox does not run: npm run sandbox -- up');
const sandbox = found;
await aptInstall(['zstd', 'age', 'rclone']);
const directory = await mkdtemp(join(tmpdir(), 'lifeboat-bench-'));
const bucket = `bench-${randomBytes(4).toString('hex')}`;
await createBucket(sandbox, bucket);
await deleteNamespaces(sandbox, [namespace]);
await installPlatform(sandbox, [release]);
const { backends, server, identity } = await openBackends();
const { s3 } = sandbox;
const env = rcloneEnv(s3);
const inPod = `${sandbox.tools.kubectl} ${clusterArgs(sandbox).join(' ')} exec -i -n ${namespace} postgresql-0 -c postgresql --`;
const dump = ['pg_dump', '-U', 'postgres', '-d', 'bench', '-Fc', '-Z0'];
const load = ['pg_restore', '--exit-on-error', '-U', 'postgres', '-d', 'again'];
const stored = new Map<string, Artifact>();

try {
  await fill();
  const ways: readonly { what: string; name: string; before?: () => Promise<void>; run: () => Promise<void> }[] = [
    {
      what: 'capture',
      name: 'pg_dump >/dev/null, in the pod',
      run: byScript(`${inPod} sh -c '${dump.join(' ')} >/dev/null'`),
    },
    {
      what: 'capture',
      name: 'kubectl exec pg_dump | zstd | age | rclone rcat',
      run: byScript(
        `${inPod} ${dump.join(' ')} | zstd -q -1 -T2 -c | age -r ${await identityToRecipient(identity)} | ${rclone} rcat s:${bucket}/hand`,
      ),
    },
    { what: 'capture', name: 'Lifeboat by exec', run: captureByExec },
    { what: 'capture', name: 'Lifeboat by mover', run: captureByMover },
    {
      what: 'restore',
      name: 'rclone cat | age -d | zstd -dc | kubectl exec pg_restore',
      before: emptyDatabase,
      run: byScript(
        `${rclone} cat s:${bucket}/hand | age -d -i ${join(directory, 'identity')} | zstd -q -dc | ${inPod} ${load.join(' ')}`,
      ),
    },
    { what: 'restore', name: 'Lifeboat by exec', before: emptyDatabase, run: restoreByExec },
    { what: 'restore', name: 'Lifeboat by mover', before: emptyDatabase, run: restoreByMover },
  ];
  const times = new Map(ways.map((way) => [way, [] as number[]]));
  for (let round = 1; round <= rounds; round += 1)
    for (const way of ways) {
      await way.before?.();
      const since = performance.now();
      await way.run();
      const seconds = (performance.now() - since) / 1_000;
      times.get(way)?.push(seconds);
      note(`round ${String(round)}  ${way.what} ${way.name}: ${seconds.toFixed(1)} s`);
    }
  const bytes = stored.get('exec')?.plainBytes ?? 0;
  const rows = [...times].map(([{ what, name }, seconds]) => {
    const middle = median(seconds);
    return { what, name, seconds, middle, speed: bytes / 1e6 / middle };
  });
  const lines = rows.map(({ what, name, seconds, middle, speed }) => {
    const range = `${Math.min(...seconds).toFixed(1)}–${Math.max(...seconds).toFixed(1)}`;
    return `| ${what} | \`${name.replaceAll('|', '\\|')}\` | ${middle.toFixed(1)} | ${range} | ${speed.toFixed(0)} |`;
  });
  const head = ['| | way | s | lowest–highest | MB/s of the dump |', '| --- | --- | --- | --- | --- |'];
  process.stdout.write(
    `dump of ${(bytes / 1e6).toFixed(0)} MB, ${String(rounds)} rounds\n\n${[...head, ...lines].join('\n')}\n`,
  );
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ bytes, rows }, null, 2)}\n`);
} finally {
  await deleteNamespaces(sandbox, [namespace]);
  await rm(directory, { recursive: true, force: true });
}

async function openBackends(): Promise<{ backends: Backends; server: PostgresServer; identity: string }> {
  const own = await generateIdentity();
  await writeFile(join(directory, 'identity'), `${own}\n`, { mode: 0o600 });
  const { kubeconfig, context, tools } = sandbox;
  const recipient = await identityToRecipient(own);
  const platform = Platform.parse({
    apiVersion: 'lifeboat/v1',
    platform: 'bench',
    cluster: { name: 'sandbox', context, kubeconfig },
    store: { url: `s3://${bucket}`, endpoint: sandbox.s3.endpoint },
    mover: { image: moverImage, endpoint: sandbox.s3.podEndpoint },
    recipients: [recipient, recipient],
    releases: [{ release: `${namespace}/postgresql` }],
  });
  const access = { kubectl: tools.kubectl, helm: tools.helm, kubeconfig, context };
  const { accessKeyId, secretAccessKey } = sandbox.s3;
  return {
    identity: own,
    server: {
      access,
      pod: { namespace, pod: 'postgresql-0', container: 'postgresql' },
      role: 'postgres',
      signal: new AbortController().signal,
    },
    backends: {
      ...{ platform, platformText: '', platformDigest: '', baseDirectory: '/', temporalAddress: '', access },
      kubernetes: openKubernetes({ kubeconfig, context }),
      store: await openStore(platform.store, { accessKeyId, secretAccessKey }),
      kit: {} as RecoveryKit,
      plans: await loadPlans([join(checkout, 'charts')]),
    },
  };
}

/** Half of the dump is rows of text, half of it bytes that do not compress, as pg_dump writes them. */
async function fill(): Promise<void> {
  const rows = Math.round((megabytes * 1e6) / 2 / 290);
  const blobs = Math.round((megabytes * 1e6) / 2 / 8_200);
  const sql = `CREATE EXTENSION pgcrypto;
CREATE TABLE words AS SELECT g AS id, md5(g::text) AS token, now() - g * interval '1 s' AS at, repeat(md5((g % 977)::text) || ' order shipped ', 5) AS note FROM generate_series(1, ${String(rows)}) g;
CREATE TABLE bytes AS SELECT g AS id, gen_random_bytes(1024) || gen_random_bytes(1024) || gen_random_bytes(1024) || gen_random_bytes(1024) AS body FROM generate_series(1, ${String(blobs)}) g;
CHECKPOINT;`;
  note(`filling: ${String(rows)} rows of text, ${String(blobs)} of 4 KiB of random bytes`);
  await psql('template1', 'CREATE DATABASE bench;');
  await psql('bench', sql);
}

async function psql(database: string, sql: string): Promise<void> {
  const command = [
    'exec',
    '-i',
    '-n',
    namespace,
    'postgresql-0',
    '-c',
    'postgresql',
    '--',
    'psql',
    '-q',
    '-U',
    'postgres',
  ];
  await kubectl(sandbox, [...command, '-v', 'ON_ERROR_STOP=1', '-d', database], { input: sql, timeoutMs: 1_200_000 });
}

async function emptyDatabase(): Promise<void> {
  await psql('template1', 'DROP DATABASE IF EXISTS again WITH (FORCE);');
  await psql('template1', 'CREATE DATABASE again;');
}

function byScript(script: string): () => Promise<void> {
  return async () => {
    await measure(script, env);
  };
}

async function captureByExec(): Promise<void> {
  const artifact = await writeArtifact({
    ...{ store: backends.store, prefix: 'points/exec', name: 'database', restoreCommand: 'pg_restore' },
    source: streamFromPod(server.access, server.pod, dump),
    recipients: backends.platform.recipients,
    minimumProofs: ['status', 'trailer'],
    trailer: { kind: 'pg-custom-toc' },
  });
  stored.set('exec', artifact);
}

async function captureByMover(): Promise<void> {
  const target = { prefix: 'points/mover', name: 'database', recipients: [...backends.platform.recipients] };
  const done = await move(dump, {
    ...{ kind: 'capture', store: access(), target, minimumProofs: ['status', 'trailer'] },
    ...{ trailer: { kind: 'pg-custom-toc' }, restoreCommand: 'pg_restore' },
  });
  if (done.artifact === undefined) throw new Error('the mover stored nothing');
  stored.set('mover', done.artifact);
}

async function restoreByExec(): Promise<void> {
  const of = { store: backends.store, artifact: artifactOf('exec'), identity };
  const stream = { bytes: readArtifact(of), packed: readPacked(of), sha256: of.artifact.plainSha256 };
  await storedToPod(server.access, server.pod, load, stream);
}

async function restoreByMover(): Promise<void> {
  const artifact = artifactOf('mover');
  const keys = await readFileKeys({ store: backends.store, artifact, identity });
  await move(load, { kind: 'restore', store: access(), artifact, fileKeys: keys.map((key) => key.toString('base64')) });
}

async function move(command: readonly string[], job: MoverJob): Promise<Awaited<ReturnType<typeof runMover>>> {
  const bound = await bindRelease(backends, { cluster: 'sandbox', namespace, name: 'postgresql' });
  const workload = bound.workloads['postgresql'];
  if (workload === undefined) throw new Error('the release has no workload');
  let done: Awaited<ReturnType<typeof runMover>> | undefined;
  const of = { kubernetes: backends.kubernetes, server, passwordEnv: 'POSTGRES_PASSWORD' };
  const isMoved = await moveClient(of, command, async (moved) => {
    const { signal } = server;
    const rest = { job, generation: `bench-${job.kind}`, run: undefined, progress: () => undefined, signal };
    done = await runMover({ backends, workload, command: moved, ...rest });
  });
  if (!isMoved || done === undefined) throw new Error('the server keeps the mover out');
  return done;
}

function artifactOf(way: string): Artifact {
  const artifact = stored.get(way);
  if (artifact === undefined) throw new Error(`nothing was captured by ${way}`);
  return artifact;
}

function access(): MoverJob['store'] {
  const { accessKeyId, secretAccessKey, podEndpoint } = s3;
  return {
    config: { ...backends.platform.store, endpoint: podEndpoint },
    credentials: { accessKeyId, secretAccessKey },
  };
}
