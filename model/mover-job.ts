import { z } from 'zod';
import { FactTotals } from './facts.ts';
import { StoreConfig } from './platform.ts';
import { Artifact } from './recovery-point.ts';

/** Where things are in the pod of a mover, for both of its containers. */
export const moverPaths = {
  /** The job, from a Secret. */
  job: '/lifeboat/job/job.json',
  /** A volume in memory that the two containers share. */
  shared: '/lifeboat/shared',
  /** The pipe between the command and the mover. */
  pipe: '/lifeboat/shared/stream',
  /** The exit code of the command; written under another name and renamed. */
  status: '/lifeboat/shared/status',
} as const;

const StoreAccess = z.strictObject({
  config: StoreConfig,
  credentials: z.strictObject({
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
    sessionToken: z.string().optional(),
  }),
});

/** Where a mover stores what it makes, and who can open it. */
const Target = z.strictObject({
  /** Folder of the attempt in the store. */
  prefix: z.string(),
  /** `<component>.<stream>` */
  name: z.string(),
  recipients: z.array(z.string()),
});

const TrailerRule = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['pg-custom-toc', 'tar', 'rdb', 'json']) }),
  z.strictObject({ kind: z.literal('text'), endsWith: z.string() }),
]);

/** What the bytes of a stream are read as, for their facts. */
export const FactsReader = z.enum(['tar']);
export type FactsReader = z.infer<typeof FactsReader>;

/** What a mover does with the bytes of the command beside it. */
export const MoverJob = z.discriminatedUnion('kind', [
  /** Stores what the command writes; with `facts`, these too, as the artifact `<name>-facts`; with `index`, that by this name. */
  z.strictObject({
    kind: z.literal('capture'),
    store: StoreAccess,
    target: Target,
    minimumProofs: z.array(z.enum(['status', 'trailer', 'count', 'digest'])),
    trailer: TrailerRule.optional(),
    facts: FactsReader.optional(),
    /** `<component>.<stream>` of an index of the archive; facts are read too then. */
    index: z.string().optional(),
    restoreCommand: z.string(),
    /** An exit code of the command that counts as 0 where its last line fits. */
    tolerated: z.strictObject({ exitCode: z.number().int(), lastLine: z.string() }).optional(),
  }),
  /** Stores the facts of what the command writes, and nothing else. */
  z.strictObject({ kind: z.literal('read-facts'), store: StoreAccess, target: Target, facts: FactsReader }),
  /** Feeds a stored stream to the command. The keys open its segments and nothing else. */
  z.strictObject({
    kind: z.literal('restore'),
    store: StoreAccess,
    artifact: Artifact,
    /** File key of each segment, base64. */
    fileKeys: z.array(z.base64()),
  }),
]);
export type MoverJob = z.infer<typeof MoverJob>;

/** What a mover answers: lines of JSON on its stdout, the last of them in pieces. */
export const MoverLine = z.union([
  /** So many bytes of plaintext have passed. */
  z.strictObject({ passed: z.number().int() }),
  /** A piece of the report, from 0; a container's log cuts long lines. */
  z.strictObject({ piece: z.number().int(), of: z.number().int(), text: z.string() }),
]);
export type MoverLine = z.infer<typeof MoverLine>;

/** How a job ended. */
export const MoverReport = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('done'),
    /** When the mover began, ISO-8601 UTC, by the clock of its node. */
    startedAt: z.iso.datetime(),
    artifact: Artifact.optional(),
    /** The facts of the stream, canonical JSON. */
    facts: Artifact.optional(),
    index: Artifact.optional(),
    totals: FactTotals.optional(),
    /** The command ended by the exit code that is tolerated. */
    tolerated: z.boolean().default(false),
  }),
  z.strictObject({
    outcome: z.literal('failed'),
    /** A row of the table of failures; null for a defect. */
    code: z.string().nullable(),
    message: z.string(),
  }),
]);
export type MoverReport = z.infer<typeof MoverReport>;
