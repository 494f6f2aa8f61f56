import type { BoundPlan } from '../model/bound-plan.ts';
import { sizeBytes } from '../model/byte-size.ts';
import type { Facts } from '../model/facts.ts';
import { failure } from '../model/failures.ts';
import type { MoverJob } from '../model/mover-job.ts';
import type { StoreConfig } from '../model/platform.ts';
import type { PlanComponent } from '../model/recovery-plan.ts';
import type { Artifact, ComponentRecord } from '../model/recovery-point.ts';
import { readFileKeys } from '../transfer/file-keys.ts';
import { newestPoint } from '../transfer/points.ts';
import { deleteIfAllowed } from '../transfer/remove-objects.ts';
import type { Backends } from './backends.ts';
import { readCapturedFacts } from './captured-facts.ts';
import { runMover } from './executors/mover.ts';
import type { MovedCommand } from './executors/mover-pod.ts';
import { methodOf } from './method-context.ts';
import type { CaptureMover, MethodContext, RestoreMover } from './methods/method.ts';
import { moverCredentials } from './open-store.ts';

/**
 * Whether a mover carries a component: its plan says so, or it is as large as lifeboat.yaml says and its method can. Never in a
 * drill: its network keeps pods from the store.
 * @param record - of its newest point, or of what is restored
 */
export function isMoved(
  backends: Backends,
  bound: BoundPlan,
  component: PlanComponent,
  record: Pick<ComponentRecord, 'artifacts'> | undefined,
): boolean {
  const { mover } = backends.platform;
  if (bound.moved !== undefined) return false;
  if (component.executor === 'mover') return true;
  if (mover?.from === undefined || methodOf(component).moves !== true) return false;
  return (record?.artifacts ?? []).reduce((sum, { plainBytes }) => sum + plainBytes, 0) >= sizeBytes(mover.from);
}

/** A component in the newest point of its release; read only where lifeboat.yaml goes by sizes. */
export async function newestRecord(
  { platform, store, kit }: Backends,
  bound: BoundPlan,
  name: string,
): Promise<ComponentRecord | undefined> {
  if (platform.mover?.from === undefined) return undefined;
  const newest = await newestPoint({ store, trustedKeys: [kit.signing.publicKey], release: bound.release });
  return newest?.manifest.components.find(({ component }) => component === name);
}

/** The mover of a capture. `keep` is given what it stored of the point. */
export function captureMover(
  backends: Backends,
  context: MethodContext<unknown>,
  of: { readonly prefix: string; readonly keep: (artifact: Artifact) => void },
): CaptureMover {
  const { prefix, keep } = of;
  return {
    capture: async (name, { facts, index, tolerated, ...command }, rules) => {
      const { minimumProofs, trailer, restoreCommand } = rules;
      const target = targetOf(backends, prefix, `${context.component.name}.${name}`);
      const indexName = `${context.component.name}.index`;
      const done = await moving(backends, context, name, command, {
        ...{ kind: 'capture', store: await storeAccess(backends, prefix), target },
        ...{ minimumProofs: [...minimumProofs], restoreCommand, trailer, facts, tolerated },
        ...(index === true ? { index: indexName } : {}),
      });
      if (done.artifact === undefined) throw new Error(`capture ${target.name}: the mover names no artifact`);
      assertOwn(done.artifact, target);
      const { artifact, startedAt, totals = {} } = done;
      const read = done.facts === undefined ? {} : await takeFacts(backends, done.facts, target);
      keep(artifact);
      if (done.index !== undefined) {
        assertOwn(done.index, { prefix, name: indexName });
        keep(done.index);
      }
      return { startedAt, facts: read, totals, tolerated: done.tolerated };
    },
  };
}

/** The mover of a restore. `find` is the stored stream of a name, `prefix` where it puts what it reads. */
export function restoreMover(
  backends: Backends,
  context: MethodContext<unknown>,
  of: { readonly prefix: string; readonly find: (name: string) => Artifact },
): RestoreMover {
  const { prefix, find } = of;
  return {
    restore: async (name, command) => {
      const artifact = find(name);
      const keys = await readFileKeys({ store: backends.store, artifact, identity: backends.kit.identity });
      await moving(backends, context, name, command, {
        kind: 'restore',
        ...{
          store: await storeAccess(backends, folderOf(artifact)),
          artifact,
          fileKeys: keys.map((key) => key.toString('base64')),
        },
      });
    },
    readFacts: async ({ facts, ...command }) => {
      const target = targetOf(backends, prefix, context.component.name);
      const job = { kind: 'read-facts' as const, store: await storeAccess(backends, prefix), target, facts };
      const done = await moving(backends, context, 'facts', { ...command, isReadOnly: true }, job);
      if (done.facts === undefined) throw new Error(`read facts of ${target.name}: the mover names none`);
      return await takeFacts(backends, done.facts, target);
    },
  };
}

async function moving(
  backends: Backends,
  context: MethodContext<unknown>,
  name: string,
  command: MovedCommand,
  job: MoverJob,
): ReturnType<typeof runMover> {
  const { workload, component, run, signal } = context;
  if (workload === undefined)
    throw failure('BindingFailed', { message: `move ${component.name}: the component has no workload` });
  const generation = `${context.generation}-${name}-${job.kind}`;
  const progress = (bytes: number): void => {
    context.progress(`${job.kind === 'restore' ? 'restore' : 'capture'} ${component.name} ${name} by mover`, bytes);
  };
  try {
    return await runMover({ backends, workload, command, job, generation, run, progress, signal });
  } catch (error) {
    // One that was killed has taken nothing back.
    if (job.kind !== 'restore') await takeAway(backends, job.target, job.kind === 'capture' ? job.index : undefined);
    throw error;
  }
}

function targetOf(backends: Backends, prefix: string, name: string): Extract<MoverJob, { kind: 'capture' }>['target'] {
  return { prefix, name, recipients: [...backends.platform.recipients] };
}

/** Reads the facts that a mover left in the store, and deletes them there. */
async function takeFacts(
  backends: Backends,
  artifact: Artifact,
  target: Pick<ReturnType<typeof targetOf>, 'prefix' | 'name'>,
): Promise<Facts> {
  assertOwn(artifact, { ...target, name: `${target.name}-facts` });
  const facts = await readCapturedFacts(backends, { facts: artifact });
  for (const { key } of artifact.segments) await deleteIfAllowed(backends.store, key);
  return facts;
}

/** A mover writes where it was told to and nowhere else. */
function assertOwn({ name, segments }: Artifact, target: { prefix: string; name: string }): void {
  const folder = `${target.prefix}/${target.name}/`;
  if (name === target.name && segments.every(({ key }) => key.startsWith(folder))) return;
  throw new Error(`take over what a mover stored: ${name} is not ${folder}`);
}

async function takeAway(
  { store }: Backends,
  { prefix, name }: { prefix: string; name: string },
  index: string | undefined,
): Promise<void> {
  for (const stored of [name, `${name}-facts`, ...(index === undefined ? [] : [index])]) {
    const folder = `${prefix}/${stored}/`;
    await store.abortOpenUploads(folder);
    for await (const { key } of store.list(folder)) await deleteIfAllowed(store, key);
  }
}

/** The folder that holds all of an artifact. */
function folderOf({ name, segments }: Artifact): string {
  const [{ key } = { key: '' }] = segments;
  const folder = key.split('/').slice(0, -1).join('/');
  if (folder === '' || !segments.every((segment) => segment.key.startsWith(`${folder}/`)))
    throw new Error(`describe mover: ${name} lies in no folder of its own`);
  return folder;
}

/** @param folder - where the mover reads and writes */
async function storeAccess({ platform }: Backends, folder: string): Promise<MoverJob['store']> {
  const { store, mover } = platform;
  if (!store.url.startsWith('s3:'))
    throw failure('ConfigInvalid', {
      message: `describe mover: a pod cannot reach the store ${store.url}; a mover needs a bucket`,
    });
  const endpoint = mover?.endpoint ?? store.endpoint;
  const config: StoreConfig = { ...store, ...(endpoint === undefined ? {} : { endpoint }) };
  return { config, credentials: await moverCredentials(platform, folder) };
}
