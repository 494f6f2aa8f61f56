import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { marks } from '../model/run-names.ts';
import type { Backends } from './backends.ts';
import { claimVolume, type KeptVolume, listKeptVolumes, readClaim, settleVolume } from './clients/claims.ts';
import { isNotFound, isReady, type Kubernetes, listPods, request } from './clients/kubernetes.ts';
import { type FoundMark, findMarks, markQuiesced, startWorkload, unfenceService } from './clients/marks.ts';
import { lastLine } from './clients/process.ts';
import { deleteScratch, findScratch } from './clients/scratch-namespaces.ts';
import { runInPod } from './executors/pod-exec.ts';

/** What `repair` found: a mark, a pod or a namespace that a run left, whether it may be undone, and what became of it. */
export type Leftover = {
  readonly what: 'volume set aside' | 'fence' | 'scaled' | 'quiesced' | 'helper pod' | 'scratch namespace';
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
  const marked = (await findMarks(kubernetes)).filter(isAsked);
  // A run that is over keeps the volumes that it replaced. Where it left marks too it was cut off in between.
  const aside = (await listKeptVolumes(kubernetes)).filter(({ run }) => marked.some((mark) => mark.run === run));
  const stuck = new Set<string>();
  for (const volume of aside) {
    const { run, claim, name } = volume;
    const deadline = marked.find((mark) => mark.run === run)?.deadline ?? '';
    const reason = await reasonToUndo({ run, deadline }, client, of.all);
    const outcome =
      reason === null || of.dryRun
        ? { undone: false, problem: null }
        : await attempt(() => giveBack(kubernetes, volume));
    if (outcome.problem !== null) stuck.add(run);
    const object = `PersistentVolume ${name} of claim ${claim.namespace}/${claim.name}`;
    found.push({ what: 'volume set aside', object, run, deadline, reason, ...outcome });
  }
  for (const mark of marked) {
    const reason = await reasonToUndo(mark, client, of.all);
    const undo = async (): Promise<void> => {
      if (stuck.has(mark.run)) throw new Error('left as it is: the volumes of its run are not where they belong');
      await undoMark(backends, mark);
    };
    const outcome = reason === null || of.dryRun ? { undone: false, problem: null } : await attempt(undo);
    found.push({
      what: mark.mark,
      object: `${mark.kind} ${mark.namespace}/${mark.name}`,
      run: mark.run,
      deadline: mark.deadline,
      reason,
      ...outcome,
    });
  }
  const pods = await request('list helper pods', () =>
    kubernetes.core.listPodForAllNamespaces({ labelSelector: marks.run }),
  );
  for (const pod of pods.items) {
    const { name = '', namespace = '', labels = {} } = pod.metadata ?? {};
    const run = labels[marks.run] ?? '';
    if (!isAsked({ run })) continue;
    const reason = await reasonToUndo({ run, deadline: new Date(8.64e15).toISOString() }, client, of.all);
    const remove = async (): Promise<void> => {
      await kubernetes.core.deleteNamespacedPod({ namespace, name }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    };
    const outcome = reason === null || of.dryRun ? { undone: false, problem: null } : await attempt(remove);
    found.push({ what: 'helper pod', object: `Pod ${namespace}/${name}`, run, deadline: null, reason, ...outcome });
  }
  for (const { namespace, run, deadline } of (await findScratch(kubernetes)).filter(isAsked)) {
    const reason = await reasonToUndo({ run, deadline }, client, of.all);
    const outcome =
      reason === null || of.dryRun
        ? { undone: false, problem: null }
        : await attempt(() => deleteScratch(kubernetes, [namespace], () => undefined));
    found.push({ what: 'scratch namespace', object: `Namespace ${namespace}`, run, deadline, reason, ...outcome });
  }
  return found;
}

async function reasonToUndo(
  mark: Pick<FoundMark, 'run' | 'deadline'>,
  client: Client | undefined,
  all: boolean,
): Promise<string | null> {
  if (client !== undefined) {
    const query = `RunId = "${mark.run}"`;
    for await (const run of client.workflow.list({ query })) {
      // A run that goes on lifts its own fences, however long it waits for an answer.
      if (run.status.name === 'RUNNING' || run.status.name === 'PAUSED') return null;
      return `its run is over (${run.status.name.toLowerCase()})`;
    }
  }
  if (all) return 'you said that its run is gone';
  return Date.parse(mark.deadline) < Date.now() ? 'its deadline passed' : null;
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
