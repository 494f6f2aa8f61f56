import { createHash } from 'node:crypto';
import { failure, LifeboatFailure } from '../model/failures.ts';
import { openSigned } from './keys.ts';
import type { Store } from './store.ts';

/** Where a link stands in its chain, and what it names of the one before it. */
export type LinkDocument = {
  readonly id: string;
  readonly sequence: number;
  readonly previous: { readonly id: string; readonly sequence: number; readonly sha256: string } | null;
};

/** A link by its number and the SHA-256 of the bytes as stored, which is empty where it is missing. */
type LinkHead = { readonly sequence: number; readonly sha256: string };

/** A link that parses and that a trusted key signed; with ChainBroken where its predecessor was replaced. */
type GoodLink<Document> = { readonly document: Document; readonly failure: LifeboatFailure | undefined };

/** Another link: SignatureInvalid, SignerUnknown, ManifestInvalid, ManifestNewer; ChainBroken where it is missing. */
type BadLink = { readonly document: undefined; readonly failure: LifeboatFailure };

/** One link of a chain as it was found. */
export type ChainEntry<Document> = LinkHead & { readonly key: string } & (GoodLink<Document> | BadLink);

/** What is used of a zod schema: this folder imports none of the libraries of model/. */
type DocumentSchema<Document> = {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: Document }
    | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };
};

/** A kind of chain: its folder in the store and how a document of it is told from a foreign one. */
export type ChainKind<Document extends LinkDocument> = {
  readonly folder: string;
  /** `manifest`, for messages. */
  readonly noun: string;
  readonly schema: DocumentSchema<Document>;
  /** Whether a document belongs to this chain and not to another one. */
  belongs(document: Document): boolean;
};

/** The newest link that is known from outside the store: a report, a platform point, an operator's note. */
export type KnownHead = { readonly sequence: number; readonly sha256: string };

const readsAtOnce = 16;

/** The object of a link; two writers of the same number meet on it, and one of them loses. */
export function linkKey(folder: string, sequence: number): string {
  return `${folder}/${String(sequence).padStart(10, '0')}.json`;
}

/**
 * The chain, newest first: missing, foreign, changed and unreadable links are entries with their failure.
 * @param known - SHA-256 of links that need not be read, by their number: they are left out
 * @throws Store*
 */
export async function readLinks<Document extends LinkDocument>(
  of: { store: Store; trustedKeys: readonly string[] },
  kind: ChainKind<Document>,
  known: ReadonlyMap<number, string> = new Map(),
): Promise<ChainEntry<Document>[]> {
  const newest = (await listSequences(of.store, kind.folder)).at(-1) ?? 0;
  const entries: ChainEntry<Document>[] = [];
  let before: LinkHead | undefined;
  for (let first = 1; first <= newest; first += readsAtOnce) {
    const next = Array.from({ length: Math.min(readsAtOnce, newest - first + 1) }, (_, index) => first + index);
    const read = await Promise.all(
      next.map(async (sequence) => {
        const sha256 = known.get(sequence);
        return sha256 === undefined ? await readLink(of, kind, sequence) : { sequence, sha256 };
      }),
    );
    for (const link of read) {
      if ('key' in link) entries.push(withPrevious(link, before, kind));
      before = link;
    }
  }
  return entries.reverse();
}

/**
 * The links of a chain, newest first, read as they are asked for: a few more than are, never all of a long chain. Nothing
 * is compared with the link before it.
 * @param known - links that need not be read, by their number: they are left out
 * @throws Store*
 */
export async function* newestLinks<Document extends LinkDocument>(
  of: { store: Store; trustedKeys: readonly string[] },
  kind: ChainKind<Document>,
  known: ReadonlyMap<number, string> = new Map(),
): AsyncGenerator<ChainEntry<Document>> {
  const newest = (await listSequences(of.store, kind.folder)).at(-1) ?? 0;
  const unknown = Array.from({ length: newest }, (_, index) => newest - index).filter((number) => !known.has(number));
  for (let first = 0, atOnce = 1; first < unknown.length; first += atOnce, atOnce = Math.min(2 * atOnce, readsAtOnce))
    yield* await Promise.all(unknown.slice(first, first + atOnce).map((sequence) => readLink(of, kind, sequence)));
}

/** One link of a chain, by its number. @throws Store* */
export async function readLink<Document extends LinkDocument>(
  of: { store: Store; trustedKeys: readonly string[] },
  kind: ChainKind<Document>,
  sequence: number,
): Promise<ChainEntry<Document>> {
  const key = linkKey(kind.folder, sequence);
  let bytes: Buffer;
  try {
    bytes = await of.store.get(key);
  } catch (error) {
    if (error instanceof LifeboatFailure && error.code === 'ObjectNotFound') return missingLink(kind, sequence);
    throw error;
  }
  const sha256 = sha256Of(bytes);
  try {
    return {
      key,
      sequence,
      sha256,
      document: openLink(bytes, of.trustedKeys, kind, { key, sequence }),
      failure: undefined,
    };
  } catch (error) {
    if (!(error instanceof LifeboatFailure)) throw error;
    return { key, sequence, sha256, document: undefined, failure: error };
  }
}

/** Numbers of the links that are there, oldest first. */
export async function listSequences(store: Store, folder: string): Promise<number[]> {
  const sequences: number[] = [];
  for await (const { key } of store.list(`${folder}/`)) {
    const digits = /^([0-9]{10})\.json$/.exec(key.slice(folder.length + 1))?.[1];
    if (digits !== undefined) sequences.push(Number(digits));
  }
  return sequences;
}

/**
 * Everything that is wrong with a chain, oldest first. A chain alone cannot show that its newest links were removed or
 * replaced by an older copy; `known` shows it.
 */
export function checkChain(chain: readonly ChainEntry<unknown>[], known?: KnownHead): LifeboatFailure[] {
  const problems = chain.flatMap((entry) => entry.failure ?? []).reverse();
  if (known === undefined) return problems;
  const entry = chain.find((candidate) => candidate.sequence === known.sequence);
  if (entry === undefined || entry.sha256 === '') {
    const newest = chain[0] === undefined ? 'it is empty' : `its newest link is number ${String(chain[0].sequence)}`;
    return [
      ...problems,
      failure('ChainBroken', {
        message: `check chain: number ${String(known.sequence)} is known and is not there, ${newest}`,
      }),
    ];
  }
  if (entry.sha256 === known.sha256) return problems;
  return [
    ...problems,
    failure('ChainBroken', {
      message: `check chain: number ${String(known.sequence)} is not the one that is known`,
      subject: entry.key,
    }),
  ];
}

function openLink<Document extends LinkDocument>(
  bytes: Buffer,
  trustedKeys: readonly string[],
  kind: ChainKind<Document>,
  at: { key: string; sequence: number },
): Document {
  const invalid = (why: string): LifeboatFailure =>
    failure('ManifestInvalid', { message: `read ${kind.noun} ${at.key}: ${why}`, subject: at.key });
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw invalid('it is not JSON');
  }
  const document = openSigned(json, trustedKeys, at.key);
  const version = (document as { formatVersion?: unknown } | null)?.formatVersion;
  if (typeof version === 'number' && version > 1) {
    throw failure('ManifestNewer', {
      message: `read ${kind.noun} ${at.key}: its format ${String(version)} is newer than 1`,
      subject: at.key,
    });
  }
  const parsed = kind.schema.safeParse(document);
  if (!parsed.success)
    throw invalid(
      `wrong or missing: ${parsed.error.issues
        .slice(0, 3)
        .map((issue) => issue.path.join('.') || issue.message)
        .join(', ')}`,
    );
  if (!kind.belongs(parsed.data)) throw invalid('it is of another chain');
  if (parsed.data.sequence !== at.sequence)
    throw invalid(`it is number ${String(parsed.data.sequence)}, copied to this name`);
  return parsed.data;
}

function missingLink<Document extends LinkDocument>(kind: ChainKind<Document>, sequence: number): ChainEntry<Document> {
  const key = linkKey(kind.folder, sequence);
  const missing = failure('ChainBroken', {
    message: `read ${kind.noun} ${key}: it is missing from its chain`,
    subject: key,
  });
  return { key, sequence, sha256: '', document: undefined, failure: missing };
}

/** Compares what a link says of the one before it with the one that is there. */
function withPrevious<Document extends LinkDocument>(
  entry: ChainEntry<Document>,
  before: LinkHead | undefined,
  kind: ChainKind<Document>,
): ChainEntry<Document> {
  if (entry.document === undefined) return entry;
  // a gap is told of once, by the entry of the missing link
  if (before?.sha256 === '') return entry;
  const { previous } = entry.document;
  const fits =
    previous === null
      ? before === undefined
      : before?.sequence === previous.sequence && before.sha256 === previous.sha256;
  if (fits) return entry;
  const says = previous === null ? 'nothing' : `number ${String(previous.sequence)} with another content`;
  const message = `read ${kind.noun} ${entry.key}: it says that ${says} stood before it`;
  return { ...entry, failure: failure('ChainBroken', { message, subject: entry.key }) };
}

/** SHA-256, hex, of a link as stored. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
