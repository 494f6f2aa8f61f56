import { access as canAccess } from 'node:fs/promises';
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { BoundPlan } from '../model/bound-plan.ts';
import { failure, LifeboatFailure } from '../model/failures.ts';
import { releaseTitle } from '../model/release-name.ts';
import { assertRecipients } from '../transfer/age-stream.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import { reportProgress } from './activity-interceptor.ts';
import { admit, type BroughtKinds } from './admission.ts';
import type { Backends } from './backends.ts';
import { resolveRelease } from './binding/bind-release.ts';
import { kindsBrought, readCapturedObjects } from './captured-objects.ts';
import { helmTooOld, helmVersion } from './clients/helm.ts';
import { kubectl } from './clients/kubectl.ts';
import { kubectlMisfit, kubectlVersion, serverVersion } from './clients/kubectl-version.ts';
import { namespaceExists, request } from './clients/kubernetes.ts';
import { lastLine } from './clients/process.ts';
import { type ManifestObject, neverPulled } from './facts/manifest.ts';
import { otherNamespaces, whyNotInto } from './facts/other-namespaces.ts';
import { locatePoint } from './plan-recovery.ts';

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
     * pod security), that the other namespaces that it names are there, that its storage classes are there and that its node has or
     * may pull its images.
     *
     * @param of.into - the namespace that all of them are to come into, where it is not their own
     */
    async checkPrerequisites(of: {
      releases: readonly { release: string; point: string }[];
      into?: string | undefined;
    }): Promise<Prerequisites> {
      return await checkAll(async (check) => {
        await basics(check);
        const brought = kindsBroughtBy(of.releases);
        const made = new Set(of.releases.map(({ release }) => resolveRelease(backends, release).namespace));
        for (const { release, point } of of.releases)
          await checkRelease(check, { release, point, into: of.into, brought, made });
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
      await serverVersion(kubernetes);
      return undefined;
    });
    await check('kubectl', async () => {
      return kubectlMisfit(await kubectlVersion(access), await serverVersion(kubernetes));
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

  async function checkRelease(
    check: Check,
    of: {
      release: string;
      point: string;
      into: string | undefined;
      brought: BroughtKinds;
      /** Namespaces that the recovery makes. */
      made: ReadonlySet<string>;
    },
  ): Promise<void> {
    const release = resolveRelease(backends, of.release);
    const found = await locatePoint(backends, release, of.point, null);
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
    const captured = await readCapturedObjects(backends, found.manifest);
    if (captured === undefined) return;
    const { objects, chart } = captured;
    const { namespace } = release;
    const others = otherNamespaces(objects, namespace);
    if (others.length > 0 || of.into !== undefined)
      await check(`${title} namespaces`, async () => {
        const why = whyNotInto(captured, namespace, of.into ?? namespace);
        return why ?? (await lackingNamespaces(others.filter((other) => !of.made.has(other))));
      });
    await check(`${title} manifest is taken by the API server (${String(objects.length)} objects)`, () =>
      admit(backends, objects, { from: namespace, namespace: of.into ?? namespace, brought: of.brought }),
    );
    await check(`${title} storage class`, () => storageClasses(objects));
    await check(`${title} images`, () => images(objects));
    await check(`${title} chart archive`, async () => {
      await Promise.resolve();
      return chart !== undefined
        ? undefined
        : 'the point has none; name the chart in lifeboat.yaml before the next backup';
    });
  }

  async function lackingNamespaces(names: readonly string[]): Promise<string | undefined> {
    const lacking: string[] = [];
    for (const name of names) if (!(await namespaceExists(backends.kubernetes, name))) lacking.push(name);
    return lacking.length === 0
      ? undefined
      : `its manifest names ${lacking.join(', ')}, which the cluster lacks: make it first`;
  }

  /** What the releases of a recovery bring is read where objects are refused, and once. */
  function kindsBroughtBy(releases: readonly { release: string; point: string }[]): BroughtKinds {
    let kinds: ReturnType<BroughtKinds> | undefined;
    const read = async (): ReturnType<BroughtKinds> => {
      const found: [string, string][] = [];
      for (const { release, point } of releases) {
        const { manifest } = await locatePoint(backends, resolveRelease(backends, release), point, null);
        const captured = await readCapturedObjects(backends, manifest);
        if (captured !== undefined) found.push(...(await kindsBrought(backends, captured)));
      }
      return new Map(found);
    };
    return () => (kinds ??= read());
  }

  async function storageClasses(objects: readonly ManifestObject[]): Promise<string | undefined> {
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
    const unknown = wanted.filter((name) => !names.includes(name));
    const missing = unknown.length === 0 ? [] : await withoutVolumes(unknown, objects);
    if (missing.length > 0)
      return `the cluster has no storage class ${missing.join(', ')} (it has ${names.join(', ') || 'none'})`;
    const hasDefault = items.some(
      (item) => item.metadata.annotations['storageclass.kubernetes.io/is-default-class'] === 'true',
    );
    return text.includes('"storageClassName"') || hasDefault ? undefined : 'the cluster has no default storage class';
  }

  /** A class that no provisioner has may be the name that volumes made by hand share with their claims: those of the cluster, and a chart's own. */
  async function withoutVolumes(classes: readonly string[], objects: readonly ManifestObject[]): Promise<string[]> {
    const { items } = await request('list volumes', () => backends.kubernetes.core.listPersistentVolume());
    const own = objects.filter(({ kind }) => kind === 'PersistentVolume').map((volume) => JSON.stringify(volume));
    return classes.filter(
      (name) =>
        !items.some(({ spec }) => spec?.storageClassName === name) &&
        !own.some((text) => text.includes(`"storageClassName":${JSON.stringify(name)}`)),
    );
  }

  /** Images that may never be pulled must be on a node already. */
  async function images(objects: readonly ManifestObject[]): Promise<string | undefined> {
    const never = objects.flatMap(neverPulled);
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
