import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { openStore } from '../../activities/open-store.ts';
import type { WorkerProcess } from '../../demo/command.ts';
import type { Manifest } from '../../model/recovery-point.ts';
import { moverImage } from '../../sandbox/images/mover-image.ts';
import { readChain } from '../../transfer/points.ts';
import type { Store } from '../../transfer/store.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../conformance/fault-proxy.ts';
import { clusterState, postgresState } from './as-it-was.ts';
import { type Ground, openGround, openSandbox, type Ran } from './ground.ts';
import { temporalClient, waitForActivity } from './temporal-client.ts';

const namespace = 'e2e-mover';
const postgresql = `${namespace}/postgresql`;
const wordpress = `${namespace}/wordpress`;

describe('a mover', () => {
  let ground: Ground;
  let worker: WorkerProcess;
  let store: Store;
  /** Between the movers alone and the store. */
  let proxy: FaultProxy;
  let fault: ((line: string) => Fault | undefined) | undefined;
  /** Names of movers that the cluster has seen. */
  const seen = new Set<string>();
  let watching = true;

  beforeAll(async () => {
    const { s3 } = await openSandbox();
    proxy = await startFaultProxy(s3.endpoint, (line) => fault?.(line), new URL(s3.podEndpoint).hostname);
    ground = await openGround('mover', {
      releases: [
        { chart: 'postgresql', namespace, name: 'postgresql' },
        { chart: 'mysql', namespace, name: 'mysql' },
        { chart: 'wordpress', namespace, name: 'wordpress' },
      ],
      overrides: { mover: { image: moverImage, endpoint: proxy.endpoint, from: '64KiB' } },
    });
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = ground.setting.env;
    store = await openStore(ground.setting.kit.store, { accessKeyId, secretAccessKey });
    worker = await ground.startWorker();
    void (async () => {
      while (watching) {
        const names = await ground.kubectl(['get', 'pods', '-n', namespace, '-o', 'name']).catch(() => '');
        for (const name of names.split('\n')) if (name.includes('lifeboat-mover-')) seen.add(name);
        await sleep(300);
      }
    })();
  });

  afterEach(() => {
    fault = undefined;
  });

  afterAll(async () => {
    watching = false;
    await ground.close();
    await proxy.stop();
  });

  async function newest(release: string): Promise<Manifest> {
    const [of = '', name = ''] = release.split('/');
    const { signing } = ground.setting.kit;
    const chain = await readChain({
      store,
      trustedKeys: [signing.publicKey],
      release: { cluster: 'sandbox', namespace: of, name },
    });
    const [first] = chain;
    if (first?.document === undefined) throw new Error(`${release} has no point`);
    return first.document;
  }

  async function leftovers(): Promise<string[]> {
    const of = (kind: string): Promise<string> =>
      ground.kubectl(['get', kind, '-n', namespace, '-l', 'lifeboat.dev/run', '-o', 'name']);
    return [...(await of('pods')).split('\n'), ...(await of('secrets')).split('\n')].filter((name) => name !== '');
  }

  async function storedKeys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of store.list('points/')) keys.push(key);
    return keys.sort();
  }

  /** Facts and plaintext of a component's streams, as the manifest has them. */
  function contentOf(manifest: Manifest, component: string): object {
    const record = manifest.components.find((each) => each.component === component);
    return {
      factsDigest: record?.factsDigest,
      totals: record?.totals,
      streams: record?.artifacts.map(({ name }) => name),
    };
  }

  it('makes the same point as the API server’s way, and is taken by size', async () => {
    const releases = [postgresql, wordpress];
    const byExec = await ground.run(['backup', ...releases]);
    expect(byExec.result.outcome, byExec.stderr).toBe('complete');
    const before = { database: await newest(postgresql), files: await newest(wordpress) };
    expect([...seen]).toEqual([]);

    const byMover = await ground.run(['backup', ...releases]);

    expect(byMover.result.outcome, byMover.stderr).toBe('complete');
    const after = { database: await newest(postgresql), files: await newest(wordpress) };
    expect(seen.size).toBeGreaterThanOrEqual(2);
    expect(after.files.id).not.toBe(before.files.id);
    expect(contentOf(after.files, 'files')).toEqual(contentOf(before.files, 'files'));
    expect(contentOf(after.database, 'databases')).toEqual(contentOf(before.database, 'databases'));
    // What passed through the API server has the pod's own digest as a proof, what a mover took has not.
    const proofOf = (manifest: Manifest, name: string): boolean | undefined =>
      manifest.components.flatMap(({ artifacts }) => artifacts).find((artifact) => artifact.name === name)?.endProof
        .digest;
    expect(proofOf(before.files, 'files.tar')).toBe(true);
    expect(proofOf(after.files, 'files.tar')).toBe(false);
    expect(proofOf(before.database, 'databases.database-shop')).toBe(true);
    expect(proofOf(after.database, 'databases.database-shop')).toBe(false);
    expect(await leftovers()).toEqual([]);
    expect(await store.listOpenUploads('')).toEqual([]);
    expect((await storedKeys()).filter((key) => /-facts\//.test(key))).toEqual([]);
  });

  it('tells no history of its credentials', async () => {
    const client = await temporalClient(ground);
    const secret = ground.setting.env['AWS_SECRET_ACCESS_KEY'] ?? '';
    let events = 0;
    for await (const { workflowId, runId } of client.workflow.list()) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const text = JSON.stringify(history, (_, value: unknown) =>
        value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
      );
      expect(text).not.toContain(secret);
      events += history.events?.length ?? 0;
    }
    expect(events).toBeGreaterThan(50);
    await client.connection.close();
  });

  it('brings a database and a volume back, compared before anything is exchanged', async () => {
    const orders = (await postgresState(ground)).at(-1);
    await ground.kubectl([
      ...['exec', '-n', namespace, 'postgresql-0', '--', 'psql', '-U', 'postgres', '-d', 'shop', '-c'],
      'UPDATE sales.orders SET total = total + 1; CREATE TABLE intruder (n int)',
    ]);
    const pod = (await ground.kubectl(['get', 'pods', '-n', namespace, '-o', 'name']))
      .split('\n')
      .find((name) => name.startsWith('pod/wordpress-'));
    await ground.kubectl([
      ...['exec', '-n', namespace, pod ?? '', '--', 'sh', '-c'],
      'rm -rf /var/www/html/wp-content/uploads; echo x >/var/www/html/intruder',
    ]);
    seen.clear();

    const ran = await ground.run(['recover', postgresql, wordpress, '--yes', '--by', 'test', '--reason', 'damage']);
    expect(ran.result.outcome, ran.stderr).toBe('complete');
    expect(ran.result.releases.map(({ facts }) => facts.equal)).toEqual([true, true]);

    // One for the database, two for the volume: what is restored, and what is read again to be compared.
    expect(seen.size).toBeGreaterThanOrEqual(3);
    expect((await postgresState(ground)).at(-1)).toBe(orders);
    expect(await leftovers()).toEqual([]);
  });

  it('says what its store refuses, and leaves nothing', async () => {
    const before = await storedKeys();
    await ground.startWorker({ LIFEBOAT_MOVER_ACCESS_KEY_ID: 'nobody', LIFEBOAT_MOVER_SECRET_ACCESS_KEY: 'nothing' });

    const ran = await ground.run(['backup', wordpress]);

    expect(ran.result.outcome).toBe('failed');
    expect(ran.result.releases[0]?.failure).toMatchObject({ code: 'StoreDenied' });
    expect(ran.exitCode).toBe(1);
    expect(await leftovers()).toEqual([]);
    expect(await storedKeys()).toEqual(before);
    worker = await ground.startWorker();
  });

  it('whose image is not to be had can be cancelled while it waits', async () => {
    const text = await readFile(ground.setting.configPath, 'utf8');
    const document = parse(text) as { mover: { image: string } };
    document.mover.image = 'lifeboat.local/nothing:1';
    await writeFile(ground.setting.configPath, stringify(document));
    await ground.startWorker();

    const started = await ground.run(['backup', wordpress, '--no-wait']);
    await untilMover('Pending');
    await ground.run(['cancel', started.result.workflowId]);
    const ended = await ground.run(['watch', started.result.workflowId]);

    expect(ended.result.outcome).toBe('cancelled');
    expect(await leftovers()).toEqual([]);
    await writeFile(ground.setting.configPath, text);
    worker = await ground.startWorker();
  });

  it('is quiet soon after a cancel, with nothing left', async () => {
    const before = { cluster: await clusterState(ground), keys: await storedKeys() };
    fault = (line) => (/^PUT .*files\.tar/.test(line) ? { kind: 'delay', ms: 20_000 } : undefined);
    const started = await ground.run(['backup', wordpress, '--no-wait']);
    await untilMover('Running');
    const since = Date.now();
    await ground.run(['cancel', started.result.workflowId]);

    const ended = await ground.run(['watch', started.result.workflowId]);

    expect(ended.result.outcome).toBe('cancelled');
    expect(Date.now() - since).toBeLessThan(60_000);
    expect(await leftovers()).toEqual([]);
    expect(await store.listOpenUploads('')).toEqual([]);
    expect(await storedKeys()).toEqual(before.keys);
    expect(await clusterState(ground)).toEqual(before.cluster);
  });

  it('that is killed is followed by another one, and by one point', async () => {
    const before = await newest(wordpress);
    fault = (line) => (/^PUT .*files\.tar/.test(line) ? { kind: 'delay', ms: 4_000 } : undefined);
    const started = await ground.run(['backup', wordpress, '--no-wait']);
    const pod = await untilMover('Running');
    await ground.kubectl(['delete', '-n', namespace, pod, '--grace-period=0', '--force', '--wait=false']);
    fault = undefined;

    const ended = await ground.run(['watch', started.result.workflowId]);

    expect(await strayOf(await expectOneMore(ended, before))).toEqual([]);
  });

  it('outlives no worker: the next one ends it and moves again', async () => {
    const before = await newest(wordpress);
    fault = (line) => (/^PUT .*files\.tar/.test(line) ? { kind: 'delay', ms: 20_000 } : undefined);
    const started = await ground.run(['backup', wordpress, '--no-wait']);
    await untilMover('Running');
    const client = await temporalClient(ground);
    await waitForActivity(client, started.result.workflowId, 'captureComponent');
    await client.connection.close();
    await worker.stop('SIGKILL');
    worker = await ground.startWorker();
    fault = undefined;

    const ended = await ground.run(['watch', started.result.workflowId]);

    // A mover that ended before the next worker looked has left whole objects: no damage, and garbage in a day.
    const after = await expectOneMore(ended, before);
    const check = await ground.run(['store', 'check']);
    expect(check.exitCode, check.stdout).toBe(0);
    for (const key of await strayOf(after)) expect(key).not.toContain('attempt-');
  });

  async function expectOneMore(ended: Ran, before: Manifest): Promise<Manifest> {
    expect(ended.result.outcome, ended.stderr).toBe('complete');
    const after = await newest(wordpress);
    expect(after.sequence).toBe(before.sequence + 1);
    expect(await leftovers()).toEqual([]);
    expect(await store.listOpenUploads('')).toEqual([]);
    return after;
  }

  /** Objects of the files that a point does not name, in its folder. */
  async function strayOf(after: Manifest): Promise<string[]> {
    const named = new Set(
      after.components.flatMap(({ artifacts, facts }) =>
        [...artifacts, facts].flatMap(({ segments }) => segments.map(({ key }) => key)),
      ),
    );
    const stored = (await storedKeys()).filter((key) => key.includes(after.id) && /\/files\.tar/.test(key));
    return stored.filter((key) => !named.has(key));
  }

  /** @returns the mover that captures the files, two seconds after it came into a phase */
  async function untilMover(phase: 'Pending' | 'Running'): Promise<string> {
    for (let tries = 0; tries < 300; tries += 1) {
      const text = await ground.kubectl(['get', 'pods', '-n', namespace, '-o', 'json']);
      const { items } = JSON.parse(text) as {
        items: { metadata: { name: string }; status: { phase: string; containerStatuses?: { ready: boolean }[] } }[];
      };
      const mover = items.find(
        ({ metadata, status }) => metadata.name.startsWith('lifeboat-mover-') && status.phase === phase,
      );
      if (mover !== undefined) {
        await sleep(2_000);
        return `pod/${mover.metadata.name}`;
      }
      await sleep(100);
    }
    throw new Error(`no mover was ${phase}`);
  }
});
