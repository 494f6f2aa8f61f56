import type { z } from 'zod';
import type { BoundPlan, BoundWorkload } from '../../model/bound-plan.ts';
import type { Facts, FactTotals } from '../../model/facts.ts';
import type { FactsReader } from '../../model/mover-job.ts';
import type { PlanComponent } from '../../model/recovery-plan.ts';
import type { Artifact } from '../../model/recovery-point.ts';
import type { ByteSource, EndProofKind } from '../../transfer/source.ts';
import type { TrailerRule } from '../../transfer/write-artifact.ts';
import type { Backends } from '../backends.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import type { MovedCommand } from '../executors/mover-pod.ts';
import type { StoredStream } from '../executors/stored-stream.ts';

/** What every call of a method is given. */
export type MethodContext<Options> = {
  readonly backends: Backends;
  readonly bound: BoundPlan;
  readonly component: PlanComponent;
  readonly options: Options;
  /** The workload that holds the data; undefined for a component of the whole release. */
  readonly workload: BoundWorkload | undefined;
  readonly signal: AbortSignal;
  /** The run and the component: names scratch objects, so that a second attempt finds those of the first. */
  readonly generation: string;
  /** The run that the pods of ours belong to, so that `repair` knows when it is over; none where no run calls. */
  readonly run?: string | undefined;
  /** Tells the activity how far it is, for heartbeats. */
  readonly progress: (doing: string, bytes?: number) => void;
  /** A pod of the workload that serves, else one that runs. @throws PodGone */
  pod(): Promise<PodAddress>;
};

/** How one stream is stored. */
export type StreamRules = {
  readonly minimumProofs: readonly EndProofKind[];
  readonly trailer?: TrailerRule;
  /** Sees each chunk of plaintext as it passes. */
  readonly tap?: (chunk: Uint8Array) => void;
  /** Stock command that restores the stream from its stdin, for RESTORE.md. */
  readonly restoreCommand: string;
};

/** What a mover captured. */
export type MovedStream = {
  /** The instant when its command began, ISO-8601 UTC, by the clock of its node. */
  readonly startedAt: string;
  readonly facts: Facts;
  readonly totals: FactTotals;
  /** The command ended by the exit code that is tolerated. */
  readonly tolerated: boolean;
};

/** Captures by a mover: in its pod a command of the workload's image and the data path, and between them the bytes. */
export type CaptureMover = {
  /**
   * Stores what a command writes as `<component>.<name>`, proven; with `facts`, these are read from the bytes as they pass;
   * with `index`, one of the archive is stored as `<component>.index`.
   */
  capture(
    name: string,
    of: MovedCommand & {
      readonly facts?: FactsReader;
      readonly index?: boolean;
      readonly tolerated?: { readonly exitCode: number; readonly lastLine: string };
    },
    rules: Omit<StreamRules, 'tap'>,
  ): Promise<MovedStream>;
};

/** Restores by a mover. */
export type RestoreMover = {
  /** Feeds a stored stream to a command; returns once every byte was checked and the command ended well. */
  restore(name: string, of: MovedCommand): Promise<void>;
  /** The facts of what a command writes. */
  readFacts(of: MovedCommand & { readonly facts: FactsReader }): Promise<Facts>;
};

/** The context of a capture. */
export type CaptureContext<Options> = MethodContext<Options> & {
  /** Stores a stream as `<component>.<name>`, proven; a name is written once. */
  write(name: string, source: ByteSource, rules: StreamRules): Promise<Artifact>;
  /** Stores bytes that are in memory already. */
  writeBytes(name: string, bytes: Uint8Array | string, restoreCommand: string): Promise<Artifact>;
  /** There where a mover does it, by the plan or by size; a method that moves uses it then. */
  readonly mover?: CaptureMover | undefined;
  /** Reads a stream of this capture back out of the store. */
  readBack(artifact: Artifact): AsyncIterable<Uint8Array>;
};

/** What a capture found, beside the streams that it stored. */
export type Captured = {
  /** Instant of the snapshot, ISO-8601 UTC, by the clock of the source. */
  readonly capturedAt: string;
  readonly facts: Facts;
  readonly totals: FactTotals;
  readonly notes?: readonly string[];
  /** Streams that should be there and could not be captured. */
  readonly missing?: readonly { readonly stream: string; readonly reason: string }[];
};

/** Data that a restore has replaced and that is still in the server. */
export type ReplacedCopy = {
  readonly name: string;
  /** The instant until which it is kept at least, ISO-8601; null where a version that did not write it replaced it. */
  readonly until: string | null;
};

/** The context of a restore. */
export type RestoreContext<Options> = MethodContext<Options> & {
  /** The namespace of the release that was captured. */
  readonly capturedIn: string;
  /** Names of the stored streams of this component. */
  readonly streams: readonly string[];
  /** A stream, and its digest to compare with what arrived. @throws ObjectNotFound */
  read(name: string): StoredStream & { readonly sizeBytes: number };
  readText(name: string): Promise<string>;
  /** There where a mover does it, by the plan or by size; a method that moves uses it then. */
  readonly mover?: RestoreMover | undefined;
  readonly capturedFacts: Facts;
  /**
   * The Secrets of the release stay as they are (data alone is restored): then the administrator's password, which a
   * Secret holds too, stays with them. Else captured Secrets win, and the captured password with them.
   */
  readonly keepsCredentials?: boolean;
};

/**
 * A backup method. Each function is idempotent: activities run at least once.
 * - `capture` stores streams and computes facts from the same snapshot or from the captured bytes
 * - `restore` brings the streams into the target; it leaves old or new data, never a mix
 * - `readFacts` computes the facts of the restored target, with the same paths as `capture`
 * - `undoRestore` puts back what `restore` replaced; a method that has it restores beside what is live and swaps
 */
export type Method<Options> = {
  /** The name that plans use. */
  readonly name: string;
  readonly options: z.ZodType<Options>;
  /** It can use a mover. */
  readonly moves?: true;
  capture(context: CaptureContext<Options>): Promise<Captured>;
  restore(context: RestoreContext<Options>): Promise<void>;
  readFacts(context: RestoreContext<Options>): Promise<Facts>;
  undoRestore?(context: MethodContext<Options>): Promise<void>;
  /** What `restore` keeps in the server of the data that was there, and how it is dropped once nobody will put it back. */
  readonly replaced?: {
    list(context: MethodContext<Options>): Promise<ReplacedCopy[]>;
    /** Idempotent. */
    drop(context: MethodContext<Options>, name: string): Promise<void>;
  };
  /**
   * The way back from a newer version with what was written there: data only, into what the older version still has.
   * Without it going back is refused where anything was written.
   */
  readonly carryBack?: {
    /** Whether a change of this fact is carried. */
    readonly isData: (path: string, was: Facts) => boolean;
    /** What the newer server has that no fact tells of, as a person reads it. */
    beyondFacts(from: MethodContext<Options>, to: MethodContext<Options>): Promise<string[]>;
    /** Carries the data behind the facts of these paths; all or nothing for each database. */
    carry(from: MethodContext<Options>, to: MethodContext<Options>, changed: readonly string[]): Promise<void>;
  };
  /** Captured facts that can no longer be expected at `at`: keys whose time to live has passed. */
  expired?(facts: Facts, at: Date): { readonly paths: readonly string[]; readonly reason: string };
};
