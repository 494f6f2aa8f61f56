/** Queue of control steps and of workflows. */
export const controlQueue = 'lifeboat';
/** Queue of captures, restores and verifications: few slots, so that a probe never waits behind a copy. */
export const transferQueue = 'lifeboat-transfer';

/** Trigger of the backup that a recovery makes of what it is going to replace. */
export const safetyCopyTrigger = 'safety copy';

/** Trigger of the backup that an upgrade makes before it changes anything. */
export const upgradeTrigger = 'upgrade';

/** Search attributes, all of type Keyword; registered when a worker starts. */
export const searchAttributes = {
  cluster: 'LifeboatCluster',
  release: 'LifeboatRelease',
  phase: 'LifeboatPhase',
  outcome: 'LifeboatOutcome',
  point: 'LifeboatPoint',
  trigger: 'LifeboatTrigger',
} as const;

/** Names of the queries, updates and signals of every run. */
export const messageNames = {
  progress: 'progress',
  approve: 'approve',
  decide: 'decide',
  pause: 'pause',
  resume: 'resume',
} as const;

/** Namespace of Lifeboat's own objects in a cluster: the locks. */
export const ownNamespace = 'lifeboat';

/** Annotations and labels that Lifeboat leaves while it works, so that `repair` can undo them without any history. */
export const marks = {
  fence: 'lifeboat.dev/fence',
  scaled: 'lifeboat.dev/scaled',
  quiesced: 'lifeboat.dev/quiesced',
  /** On a volume that outlives its claim: the run that keeps it. */
  kept: 'lifeboat.dev/kept-by',
  /** On such a volume: the instant until which it is kept at least, what becomes of it then, and the claim that it had, as JSON. */
  keptUntil: 'lifeboat.dev/kept-until',
  keptPolicy: 'lifeboat.dev/kept-policy',
  keptClaim: 'lifeboat.dev/kept-claim',
  /** Key in the selector of a fenced Service: no pod carries it. */
  fencedSelector: 'lifeboat.dev/fenced-by',
  /** On a Service that leads to the green release of an upgrade: which one, and by which run. */
  cutover: 'lifeboat.dev/cutover',
  run: 'lifeboat.dev/run',
  /** On a scratch namespace: label with the name of its drill, annotation with its run. */
  drill: 'lifeboat.dev/drill',
} as const;

/** UTC basic time as in ids: `20261123T224107Z`. */
export function basicTime(instant: Date): string {
  return instant
    .toISOString()
    .replaceAll('-', '')
    .replaceAll(':', '')
    .replace(/\.[0-9]+Z$/, 'Z');
}
