import { access as canAccess } from 'node:fs/promises';
import { Context } from '@temporalio/activity';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { BoundPlan } from '../model/bound-plan.ts';
import { failure, LifeboatFailure } from '../model/failures.ts';
import { releaseTitle } from '../model/release-name.ts';
import { assertRecipients } from '../transfer/age-stream.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import { reportProgress } from './activity-interceptor.ts';
import type { Backends } from './backends.ts';
import { resolveRelease } from './binding/bind-release.ts';
import { helmTooOld, helmVersion } from './clients/helm.ts';
import { kubectl } from './clients/kubectl.ts';
import { request } from './clients/kubernetes.ts';
import { lastLine } from './clients/process.ts';
import { locatePoint } from './plan-recovery.ts';

const RecordedRelease = z.looseObject({ manifest: z.string() });
const KubernetesObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

/** What the checks before a run found. */
export type Prerequisites = {
  readonly checks: number;
  readonly problems: readonly string[];
  readonly found: readonly string[];
};

type Check = (name: string, holds: () => Promise<string | undefined>) => Promise<void>;

/** The activities that look at everything before the first change, and report every problem at once. */
export function createPrerequisiteActivities(backends: Backends) {
  return {
    /** The self test: tools, cluster, store, plans. Read-only but for the store's own probe object. */
    async selfTestChecks(): Promise<Prerequisites> {
      return await checkAll((check) => basics(check));
    },

    /**
     * What a recovery needs of the cluster, before anything is changed: tools and their versions, the store and the
     * key, and for each release that the API server would take every object of its recorded manifest (kinds, admission,
     * pod security), that its storage classes are there and that its node has or may pull its images.
     */
    async checkPrerequisites(of: { releases: readonly { release: string; point: string }[] }): Promise<Prerequisites> {
      return await checkAll(async (check) => {
        await basics(check);
        for (const { release, point } of of.releases) await checkRelease(check, release, point);
      });
    },
  };

  async function checkAll(work: (check: Check) => Promise<void>): Promise<Prerequisites> {
    const problems: string[] = [];
    const found: string[] = [];
    let checks = 0;
    await work(async (name, holds) => {
      Context.current().cancellationSignal.throwIfAborted();
      reportProgress(`check ${name}`);
      checks += 1;
      try {
        const problem = await holds();
        if (problem === undefined) found.push(name);
        else problems.push(`${name}: ${problem}`);
      } catch (error) {
        if (!(error instanceof LifeboatFailure)) throw error;
        problems.push(`${name}: ${error.code}: ${error.message}`);
      }
    });
    return { checks, problems, found };
  }

  async function basics(check: Check): Promise<void> {
    const { access, kubernetes, store } = backends;
    await check('helm', async () => helmTooOld(await helmVersion(access)));
    await check('cluster', async () => {
      await request('read version of the API server', () => kubernetes.version.getCode(), 8_000);
      return undefined;
    });
    await check('kubectl', async () => {
      const { gitVersion } = await request('read version of the API server', () => kubernetes.version.getCode(), 8_000);
      const { stdout } = await kubectl(access, ['version', '--client', '-o', 'json'], { timeoutMs: 10_000 });
      const client = /"gitVersion": "v?([0-9.]+)/.exec(stdout)?.[1] ?? '';
      const minor = (version: string): number => Number(version.replace(/^v/, '').split('.')[1] ?? 0);
      return Math.abs(minor(client) - minor(gitVersion)) <= 1
        ? undefined
        : `version ${client} is more than one minor version from the server's ${gitVersion}`;
    });
    await check('nodes', async () => {
      const { items } = await request('list nodes', () => kubernetes.core.listNode(), 8_000);
      const ready = items.filter((node) =>
        node.status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True'),
      );
      return ready.length > 0 ? undefined : `none of ${String(items.length)} is ready`;
    });
    await check('store', async () => {
      const probe = await store.probe();
      return probe.conditionalPut ? undefined : `${store.address} lets two writers of one key both succeed`;
    });
    await check('recovery kit', async () => {
      const { recipients } = backends.platform;
      const known = backends.kit.recipients.some((recipient) => recipients.includes(recipient));
      await Promise.resolve();
      return known ? undefined : 'its recipients are not among those of lifeboat.yaml';
    });
    await check('recipients', async () => {
      await Promise.resolve();
      await assertRecipients(backends.platform.recipients);
      return undefined;
    });
    await check('plans', async () => {
      for (const directory of backends.plans.directories) await canAccess(directory);
      return backends.plans.all().length > 0
        ? undefined
        : `no recovery plan in ${backends.plans.directories.join(', ')}`;
    });
  }

  async function checkRelease(check: Check, text: string, point: string): Promise<void> {
    const release = resolveRelease(backends, text);
    const found = await locatePoint(backends, release, point, null);
    const title = releaseTitle(release);
    await check(`${title} key opens point ${found.manifest.id}`, async () => {
      BoundPlan.parse(
        JSON.parse(
          (
            await readBytes({ store: backends.store, artifact: found.manifest.plan, identity: backends.kit.identity })
          ).toString('utf8'),
        ),
      );
      return undefined;
    });
    const config = found.manifest.components.find((record) => record.method === 'release-config');
    const record = config?.artifacts.find((artifact) => artifact.name.endsWith('.record'));
    if (record === undefined) return;
    const bytes = await readBytes({ store: backends.store, artifact: record, identity: backends.kit.identity });
    const objects = parseManifest(RecordedRelease.parse(JSON.parse(bytes.toString('utf8'))).manifest);
    await check(`${title} manifest is taken by the API server (${String(objects.length)} objects)`, () =>
      admit(objects),
    );
    await check(`${title} storage class`, () => storageClasses(objects));
    await check(`${title} images`, () => images(objects));
    await check(`${title} chart archive`, async () => {
      await Promise.resolve();
      return config?.artifacts.some((artifact) => artifact.name.endsWith('.chart')) === true
        ? undefined
        : 'the point has none; name the chart in lifeboat.yaml before the next backup';
    });
  }

  /** A server-side dry run in the namespace `default`, since the release's own may be gone. */
  async function admit(objects: readonly z.infer<typeof KubernetesObject>[]): Promise<string | undefined> {
    const moved = objects.map((object) =>
      object.metadata.namespace === undefined
        ? object
        : { ...object, metadata: { ...object.metadata, namespace: 'default' } },
    );
    if (moved.length === 0) return undefined;
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: moved });
    const { exitCode, stderr } = await kubectl(
      backends.access,
      ['apply', '--server-side', '--dry-run=server', '--force-conflicts', '-n', 'default', '-f', '-'],
      { input: list, timeoutMs: 30_000 },
    );
    return exitCode === 0 ? undefined : lastLine(stderr);
  }

  async function storageClasses(objects: readonly z.infer<typeof KubernetesObject>[]): Promise<string | undefined> {
    const text = JSON.stringify(objects);
    if (!text.includes('"PersistentVolumeClaim"') && !text.includes('"volumeClaimTemplates"')) return undefined;
    const wanted = [...text.matchAll(/"storageClassName":"([^"]+)"/g)].map((match) => match[1] ?? '');
    const { exitCode, stdout, stderr } = await kubectl(backends.access, ['get', 'storageclass', '-o', 'json'], {
      timeoutMs: 15_000,
    });
    if (exitCode !== 0) throw failure('KubernetesFailed', { message: `list storage classes: ${lastLine(stderr)}` });
    const { items } = z
      .looseObject({
        items: z.array(
          z.looseObject({
            metadata: z.looseObject({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
          }),
        ),
      })
      .parse(JSON.parse(stdout));
    const names = items.map((item) => item.metadata.name);
    const missing = wanted.filter((name) => !names.includes(name));
    if (missing.length > 0)
      return `the cluster has no storage class ${missing.join(', ')} (it has ${names.join(', ') || 'none'})`;
    const hasDefault = items.some(
      (item) => item.metadata.annotations['storageclass.kubernetes.io/is-default-class'] === 'true',
    );
    return wanted.length > 0 || hasDefault ? undefined : 'the cluster has no default storage class';
  }

  /** Images that may never be pulled must be on a node already. */
  async function images(objects: readonly z.infer<typeof KubernetesObject>[]): Promise<string | undefined> {
    const never = [...JSON.stringify(objects).matchAll(/"image":"([^"]+)","imagePullPolicy":"Never"/g)].map(
      (match) => match[1] ?? '',
    );
    if (never.length === 0) return undefined;
    const { items } = await request('list nodes', () => backends.kubernetes.core.listNode());
    const present = new Set(items.flatMap((node) => (node.status?.images ?? []).flatMap((image) => image.names ?? [])));
    const missing = never.filter((name) => ![...present].some((each) => each === name || each.endsWith(`/${name}`)));
    // A node lists its fifty largest images only.
    return missing.length === 0 || present.size >= 50
      ? undefined
      : `not on any node and never pulled: ${[...new Set(missing)].join(', ')}`;
  }
}

function parseManifest(manifest: string): z.infer<typeof KubernetesObject>[] {
  return parseAllDocuments(manifest).flatMap((document) => {
    const parsed = KubernetesObject.safeParse(document.toJS());
    return parsed.success ? [parsed.data] : [];
  });
}
