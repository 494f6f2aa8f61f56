/**
 * The failures of Lifeboat: one table from a stable code to its class and to what the reader does next.
 *
 * `docs/reference/failures.md` is generated from it. Code throws `failure('Code', {...})` and nothing else for an
 * expected failure; any other error is a defect and stays loud.
 */

/** Who acts on a failure: a person before the run, a retry, an alert, or a developer. */
export type FailureClass = 'plan' | 'precondition' | 'transient' | 'integrity' | 'defect';

/** Whether the step that failed changed anything outside Lifeboat. */
export type Changed = 'no' | 'yes' | 'unknown';

type FailureRow = { readonly class: FailureClass; readonly hint: string };

const plan = (hint: string): FailureRow => ({ class: 'plan', hint });
const precondition = (hint: string): FailureRow => ({ class: 'precondition', hint });
const transient = (hint: string): FailureRow => ({ class: 'transient', hint });
const integrity = (hint: string): FailureRow => ({ class: 'integrity', hint });

/** Code → class and hint, by subject. Codes are never renamed: people search for them. */
export const failures = {
  // what was asked for
  InputInvalid: plan('Correct the input; the message lists what is allowed.'),
  ConfigInvalid: plan('Correct lifeboat.yaml; `lifeboat doctor` checks it without changing anything.'),
  ConfigDiffers: plan('Use the lifeboat.yaml that the worker runs with, or restart the worker with yours.'),
  PlanInvalid: plan('Correct the recovery plan; `lifeboat plan check PATH` shows every problem at once.'),
  PlanNotFound: plan('Add charts/<chart>/recovery.yaml, or name the directory of your plans in lifeboat.yaml.'),
  ReleaseUnknown: plan('Name a release of lifeboat.yaml; `lifeboat status` lists them.'),
  PointUnknown: plan('Name a recovery point of this release; `lifeboat points RELEASE` lists them.'),
  PointExpired: plan(
    'Choose another point; `lifeboat points RELEASE` lists those that are kept, and `retention` in lifeboat.yaml says which.',
  ),
  FileUnknown: plan('Name a path of the archive; `lifeboat points files ID PREFIX` lists them.'),
  ScheduleUnfit: plan('Correct `schedules` in lifeboat.yaml: more often, or with another objective.'),
  TimeoutTooShort: plan(
    'Start it again without an execution or run timeout, or with one that leaves room for people too; nothing was changed.',
  ),
  DependencyCycle: plan('Remove one of the named dependencies from the plans.'),
  // what must be there before a run
  ToolMissing: precondition('Install the named tool, or set its path; `lifeboat doctor` shows what was looked for.'),
  ToolTooOld: precondition('Install the version named in the message or a newer one.'),
  ClusterUnreachable: transient('Check the context and that the API server answers: kubectl --context … get nodes.'),
  ClusterDenied: precondition('Give the service account the rights that the plan lists, or renew the credentials.'),
  TemporalUnreachable: precondition('Start Temporal or correct its address; without one: lifeboat recover --local.'),
  WorkerMissing: precondition('Start a worker: lifeboat worker.'),
  StoreUnreachable: transient('Check the address of the store and that it answers from the worker.'),
  StoreDenied: precondition('Check the access key and what it may do in the bucket.'),
  StoreNotFound: precondition('Create the bucket or directory, or correct the store in lifeboat.yaml.'),
  StoreNotConditional: precondition(
    'Use a store whose PUT honours If-None-Match; two writers could overwrite each other here.',
  ),
  StoreFull: precondition('Free space in the store, then start the backup again.'),
  ClockSkew: precondition('Set the clocks of the worker and of the store by NTP; nothing was changed.'),
  ReleaseNotFound: precondition('Install the release, or remove it from lifeboat.yaml.'),
  ReleaseBusy: precondition(
    'Wait for the run that holds the release, cancel it, or `lifeboat unlock` when it is gone for good.',
  ),
  BindingFailed: precondition('The plan does not fit the live release; the message names what was looked for.'),
  BindingChanged: precondition('The release changed since the plan was shown; start again and approve the new plan.'),
  PrerequisitesMissing: precondition('Correct every problem listed; nothing was changed.'),
  DowntimeNotAllowed: precondition(
    'Set allowDowntime for this release in lifeboat.yaml, or accept that the component is not captured.',
  ),
  KeyMissing: precondition('Give the recovery kit (--key FILE); without its identity the point cannot be opened.'),
  KeyInvalid: precondition('The file is not a recovery kit; make one with `lifeboat keys create`.'),
  RecipientInvalid: precondition('Correct the age recipient in lifeboat.yaml (it begins with age1).'),
  SignerUnknown: precondition(
    'The point was signed by another key; accept it by --trust KEY when you know whose it is.',
  ),
  NamespaceMismatch: precondition('A manifest names another namespace; recover this release into its own namespace.'),
  ApprovalTimeout: precondition('Start again and approve in time; nothing was changed.'),
  ApprovalRefused: precondition('Nothing was changed; start again when the plan is wanted.'),
  PlanDigestMismatch: precondition('Approve the digest that the run shows; the plan changed since yours was printed.'),
  Superseded: precondition('Another run took over this release; look at `lifeboat runs`.'),
  // capture
  CaptureToolMissing: precondition(
    'The image lacks the dump tool; use the official image or name another executor in the plan.',
  ),
  ApiDisabled: precondition(
    'Switch on what the message names in the values of the release; without it nothing can be captured this way.',
  ),
  ApiFailed: transient("The product's own API refused the request or did not answer; its answer is in the message."),
  CredentialMismatch: precondition('The Secret and the data disagree about the password; restore the captured Secret.'),
  DumpFailed: transient('Read the last line of the tool in the message; the point was not written.'),
  DumpEndedEarly: transient('The stream ended without its end proof; nothing was called backed up. It is tried again.'),
  DumpStalled: transient('No byte arrived for the stall timeout; look at the load of the pod, then it is tried again.'),
  DiskFull: precondition('Free space on the volume that is named, then start again.'),
  SourceInconsistent: transient('The source changed between two reads that must agree; it is tried again.'),
  EngineNotSupported: precondition(
    'Tables outside InnoDB cannot be read consistently; convert them or allow the lock for the whole dump.',
  ),
  PodGone: transient('The pod went away; it is tried again on its successor.'),
  QuiesceFailed: precondition('The service could not be held still; read what its command says in the message.'),
  CaptureIncomplete: precondition('At least one component was not captured; the result lists each with its reason.'),
  // store and points
  ObjectExists: integrity('Another writer made this object; list the points and look at who ran.'),
  ObjectNotFound: integrity('An object of the point is gone; the point is damaged. Use another one.'),
  ArtifactTruncated: integrity(
    'The stored object is shorter than its manifest says; the point is damaged. Use another one.',
  ),
  ArtifactDigestMismatch: integrity(
    'The stored bytes are not the ones that were written; the point is damaged. Use another one.',
  ),
  ArtifactUnreadable: integrity(
    'The stored bytes do not decrypt or decompress; the point is damaged. Use another one.',
  ),
  PathUnsafe: integrity(
    'The archive leads out of the directory that it is written to, so nothing was written; look at who can write to the volume.',
  ),
  ManifestInvalid: integrity('The manifest is damaged; the point cannot be trusted. Use another one.'),
  ManifestMissing: integrity('The point has no manifest; it was never committed or its manifest was removed.'),
  ManifestNewer: precondition('The point was written by a newer Lifeboat; use that version to read it.'),
  SignatureInvalid: integrity('The manifest was changed after it was signed; do not trust this point.'),
  ChainBroken: integrity('A manifest of the chain is missing or replaced; `lifeboat verify --all` names the gap.'),
  PointDamaged: integrity('The point did not pass verification; use another one.'),
  PointNotVerified: precondition(
    'No point of this release has passed verification; `lifeboat verify --all` tries them.',
  ),
  // recovery
  HelmFailed: precondition("Read helm's last line in the message."),
  HelmBusy: transient('Another helm operation holds the release; it is tried again.'),
  PodNeverReady: precondition(
    'Look at the events of the pod named in the message; the data was not touched after that.',
  ),
  RestoreFailed: precondition("Read the tool's last line in the message."),
  RestoreTargetInUse: transient('Sessions still hold the target; they are ended and it is tried again.'),
  FactsDiffer: integrity(
    'The restored data is not the captured data; the release stays fenced. The message lists the differences.',
  ),
  HealthFailed: precondition('The release serves but a check of its plan failed; the message names the check.'),
  FenceFailed: precondition('The writers could not be stopped; nothing was overwritten.'),
  KubernetesConflict: transient('The object was changed at the same time; it is tried again.'),
  KubernetesFailed: transient('The API server refused the request; its message is above.'),
  // upgrade
  UpgradeRefused: precondition('Nothing was upgraded; the message says what stands in the way.'),
  ImmutableField: precondition(
    'The API server never changes this field of what is there; keep its value, or recover the release into the new chart.',
  ),
  WriteGapTooLong: precondition(
    'Clients were not kept out. Allow a longer gap (--max-write-gap), or upgrade when less is to be moved.',
  ),
  CutoverRefused: precondition(
    'The Services still lead to the version from before; the message is the API server’s own.',
  ),
  RolledBack: precondition('A person decided to go back; the version from before serves, with what was written since.'),
  RollbackRefused: precondition(
    'The new version serves on: going back would lose what the message lists. Undo that and roll back, or promote it by hand (docs/how-to/upgrade.md).',
  ),
  ComponentSkipped: precondition('An operator skipped this release; its data was not recovered.'),
  DependencyFailed: precondition('A release that this one needs was not recovered; recover that one first.'),
  // drill
  DrillNamespaceExists: precondition(
    'A namespace of that name is there already and is not of this run; `lifeboat repair` removes what a dead drill left, or start the drill under another workflow id.',
  ),
  ProbeFailed: precondition(
    'The pod that measures the isolation could not do its work, so nothing was started; the message says why. `helperImage` in lifeboat.yaml names an image with sh and bash or nc.',
  ),
  NotIsolated: precondition(
    "The network does not keep the drill from what is live; install an engine that enforces NetworkPolicy, or accept it by the cluster's name: --accept-not-isolated CLUSTER.",
  ),
  EndpointUnmapped: precondition(
    'The release names an address that has no place in the drill; drill the release behind it too, or leave this one out.',
  ),
  DrillNotContained: precondition(
    'A namespace does not hold all objects of this release, so a drill could touch what is live; leave it out.',
  ),
  DowntimeExceeded: precondition('The service was started again; give it more time by allowDowntime, or capture less.'),
  Defect: {
    class: 'defect',
    hint: 'This is a bug of Lifeboat; report it with the run id. Nothing it says counts as success.',
  },
  StepTimedOut: transient('The step took longer than its bound; look at what it waited for.'),
} as const satisfies Record<string, FailureRow>;

/** The stable name of a failure. */
export type FailureCode = keyof typeof failures;

/** What a failure says of itself, in results, in histories and on the screen. */
export type FailureView = {
  readonly code: FailureCode;
  readonly message: string;
  readonly hint: string;
  readonly changed: Changed;
  /** On what: a release, component, object, pod. */
  readonly subject?: string;
};

/** An expected failure. At the edge of an activity or a workflow it becomes an ApplicationFailure of type `code`. */
export class LifeboatFailure extends Error {
  readonly code: FailureCode;
  readonly changed: Changed;
  readonly subject: string | undefined;

  constructor(code: FailureCode, message: string, changed: Changed, subject: string | undefined, cause: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LifeboatFailure';
    this.code = code;
    this.changed = changed;
    this.subject = subject;
  }

  get hint(): string {
    return failures[this.code].hint;
  }

  get retryable(): boolean {
    return failures[this.code].class === 'transient';
  }

  view(): FailureView {
    const { code, message, hint, changed, subject } = this;
    return subject === undefined ? { code, message, hint, changed } : { code, message, hint, changed, subject };
  }
}

/**
 * Makes an expected failure.
 * @param code - a row of the table
 * @param of.message - verb noun: cause, in lowercase, without a full stop and without any secret
 * @param of.changed - whether the step changed anything; default `no`
 */
export function failure(
  code: FailureCode,
  of: { message: string; changed?: Changed; subject?: string; cause?: unknown },
): LifeboatFailure {
  return new LifeboatFailure(code, of.message, of.changed ?? 'no', of.subject, of.cause);
}

/** Whether `code` is a row of the table. */
export function isFailureCode(code: unknown): code is FailureCode {
  return typeof code === 'string' && Object.hasOwn(failures, code);
}
