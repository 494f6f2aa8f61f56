import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { marks } from '../model/run-names.ts';
import type { Backends } from './backends.ts';
import { claimVolume, type KeptVolume, listKeptVolumes, readClaim, settleVolume } from './clients/claims.ts';
import { gone, isReady, type Kubernetes, listPods, request } from './clients/kubernetes.ts';
import { type FoundMark, findMarks, markQuiesced, startWorkload, unfenceService } from './clients/marks.ts';
import { lastLine } from './clients/process.ts';
import { deleteScratch, findScratch } from './clients/scratch-namespaces.ts';
import { runInPod } from './executors/pod-exec.ts';

/** What `repair` found: a mark, a pod or a namespace that a run left, whether it may be undone, and what became of it. */
export type Leftover = {
  readonly what:
    | 'volume set aside'
    | 'fence'
    | 'scaled'
    | 'quiesced'
    | 'helper pod'
    | "mover's credentials"
    | 'scratch namespace';
  readonly object: string;
  readonly run: string;
  readonly deadline: string | null;
  /** Why it may be undone, or null where it belongs to a run that goes on. */
  readonly reason: string | null;
  readonly undone: boolean;
  readonly problem: string | null;
};

const bindWithinMs = 30_000;

const Quiesced = z.looseObject({
  container: z.string(),
  release: z.array(z.string()),
  selector: z.record(z.string(), z.string()),
});

/**
 * Finds volumes that were set aside, fences, stopped workloads, quiesces, helper pods and the scratch namespaces of drills
 * that runs left in the cluster, and undoes those whose run is over; what belongs to a run that goes on is never touched. Of a run that
 * Temporal does not know, or where none answers, the deadline counts, or `all`: a person said that whatever run it was
 * is gone for good. `run` leaves out what other runs left.
 */
export async function repair(
  backends: Backends,
  client: Client | undefined,
  of: { all: boolean; dryRun: boolean; run?: string | undefined },
): Promise<Leftover[]> {
  const { kubernetes } = backends;
  const found: Leftover[] = [];
  const isAsked = ({ run }: { run: string }): boolean => of.run === undefined || of.run === run;
  /** Undoes what a run left, where that run is over; @returns what stood in the way. */
  const settle = async (
    left: Pick<Leftover, 'what' | 'object' | 'run' | 'deadline'>,
    undo: () => Promise<void>,
  ): Promise<string | null> => {
    const reason = await reasonToUndo(left, client, of.all);
    const outcome = reason === null || of.dryRun ? { undone: false, problem: null } : await attempt(undo);
    found.push({ ...left, reason, ...outcome });
    return outcome.problem;
  };
  const marked = (await findMarks(kubernetes)).filter(isAsked);
  const stuck = new Set<string>();
  for (const volume of await listKeptVolumes(kubernetes)) {
    const { run, claim, name } = volume;
    // A run that is over keeps the volumes that it replaced. Where it left marks too it was cut off in between.
    const deadline = marked.find((mark) => mark.run === run)?.deadline;
    if (deadline === undefined) continue;
    const object = `PersistentVolume ${name} of claim ${claim.namespace}/${claim.name}`;
    const left = { what: 'volume set aside', object, run, deadline } as const;
    if ((await settle(left, () => giveBack(kubernetes, volume))) !== null) stuck.add(run);
  }
  for (const mark of marked) {
    const { run, deadline } = mark;
    await settle(
      { what: mark.mark, object: `${mark.kind} ${mark.namespace}/${mark.name}`, run, deadline },
      async () => {
        if (stuck.has(run)) throw new Error('left as it is: the volumes of its run are not where they belong');
        await undoMark(backends, mark);
      },
    );
  }
  const { core } = kubernetes;
  const ours = { labelSelector: marks.run };
  const deletable = [
    {
      ...({ what: 'helper pod', kind: 'Pod' } as const),
      list: () => core.listPodForAllNamespaces(ours),
      remove: (at: { namespace: string; name: string }) => core.deleteNamespacedPod(at),
    },
    {
      ...({ what: "mover's credentials", kind: 'Secret' } as const),
      list: () => core.listSecretForAllNamespaces(ours),
      remove: (at: { namespace: string; name: string }) => core.deleteNamespacedSecret(at),
    },
  ];
  for (const { what, kind, list, remove } of deletable) {
    const { items } = await request<{ items: { metadata?: V1ObjectMeta }[] }>(`list ${kind}s of ours`, list);
    for (const { metadata } of items) {
      const { name = '', namespace = '', labels = {} } = metadata ?? {};
      const left = { what, object: `${kind} ${namespace}/${name}`, run: labels[marks.run] ?? '', deadline: null };
      if (isAsked(left)) await settle(left, () => gone(`delete ${kind} ${name}`, () => remove({ namespace, name })));
    }
  }
  for (const { namespace, run, deadline } of (await findScratch(kubernetes)).filter(isAsked))
    await settle({ what: 'scratch namespace', object: `Namespace ${namespace}`, run, deadline }, () =>
      deleteScratch(kubernetes, [namespace], () => undefined),
    );
  return found;
}

/** Why what a run left may be undone; null where the run goes on, or its deadline has not passed or is none. */
async function reasonToUndo(
  left: Pick<Leftover, 'run' | 'deadline'>,
  client: Client | undefined,
  all: boolean,
): Promise<string | null> {
  if (client !== undefined) {
    const query = `RunId = "${left.run}"`;
    for await (const run of client.workflow.list({ query })) {
      // A run that goes on lifts its own fences, however long it waits for an answer.
      if (run.status.name === 'RUNNING' || run.status.name === 'PAUSED') return null;
      return `its run is over (${run.status.name.toLowerCase()})`;
    }
  }
  if (all) return 'you said that its run is gone';
  return left.deadline !== null && Date.parse(left.deadline) < Date.now() ? 'its deadline passed' : null;
}

async function attempt(work: () => Promise<void>): Promise<{ undone: boolean; problem: string | null }> {
  try {
    await work();
    return { undone: true, problem: null };
  } catch (error) {
    return { undone: false, problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Gives a volume that a run set aside to the claim that it had. @throws where that claim has another volume now */
async function giveBack(kubernetes: Kubernetes, volume: KeptVolume): Promise<void> {
  const { claim, claimed, name, policy } = volume;
  const live = await readClaim(kubernetes, claim);
  if (live?.uid !== undefined)
    throw new Error(
      `claim ${claim.namespace}/${claim.name} has the volume ${live.volume ?? 'none yet'} by now; which of the two holds the data is for a person to say: docs/how-to/upgrade.md, "A run that was cut off"`,
    );
  if (claimed === null) throw new Error('its mark does not say what its claim was like');
  const until = Date.now() + bindWithinMs;
  await claimVolume(kubernetes, { claim: claimed, namespace: claim.namespace, volume: name }, () => {
    if (Date.now() > until) throw new Error(`not bound after ${String(bindWithinMs / 1_000)} s`);
  });
  await settleVolume(kubernetes, name, policy);
}

async function undoMark(backends: Backends, mark: FoundMark): Promise<void> {
  const { kubernetes, access } = backends;
  const { namespace, name, kind } = mark;
  if (kind === 'Service') {
    await unfenceService(kubernetes, namespace, name);
    return;
  }
  if (mark.mark === 'scaled') {
    await startWorkload(kubernetes, kind, namespace, name);
    return;
  }
  const held = Quiesced.parse(mark.previous);
  const pod = (await listPods(kubernetes, namespace, held.selector)).find(isReady)?.metadata?.name;
  if (pod === undefined) throw new Error('no pod is ready; start it, then repair again');
  const { exitCode, stderr } = await runInPod(access, { namespace, pod, container: held.container }, held.release);
  if (exitCode !== 0) throw new Error(lastLine(stderr));
  await markQuiesced(kubernetes, { kind, namespace, name }, null);
}
