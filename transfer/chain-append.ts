import { LifeboatFailure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import {
  type ChainEntry,
  type ChainKind,
  type LinkDocument,
  linkKey,
  listSequences,
  readLink,
  sha256Of,
} from './chain.ts';
import { canonicalBytes, signDocument } from './keys.ts';
import { pointTime } from './point-names.ts';
import type { Store } from './store.ts';

const writerLimit = 10;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * Appends a document. One conditional PUT decides; its loser looks whether what is there is its own document, written by
 * an attempt whose answer was lost, and else tries the next number.
 * @throws ObjectExists when ten writers were faster; Store*
 */
export async function appendLink<Document extends LinkDocument>(
  of: { store: Store; kit: RecoveryKit },
  kind: ChainKind<Document>,
  id: string,
  make: (head: ChainEntry<Document> | undefined) => Promise<Document>,
): Promise<{ document: Document; sha256: string }> {
  const reading = { store: of.store, trustedKeys: [of.kit.signing.publicKey] };
  for (let attempt = 1; ; attempt += 1) {
    const sequences = await listSequences(of.store, kind.folder);
    const own = await findOwn(reading, kind, sequences, id);
    if (own !== undefined) return own;
    const newest = sequences.at(-1);
    const document = await make(newest === undefined ? undefined : await readLink(reading, kind, newest));
    const bytes = canonicalBytes(signDocument(of.kit, document));
    try {
      await of.store.put(linkKey(kind.folder, document.sequence), bytes, { ifAbsent: true });
      return { document, sha256: sha256Of(bytes) };
    } catch (error) {
      if (!(error instanceof LifeboatFailure) || error.code !== 'ObjectExists' || attempt === writerLimit) throw error;
    }
  }
}

/** What a new link says of the one before it. */
export function previousOf(head: ChainEntry<LinkDocument> | undefined): LinkDocument['previous'] {
  if (head === undefined) return null;
  return { id: head.document?.id ?? 'unreadable', sequence: head.sequence, sha256: head.sha256 };
}

/** The document with this id, where an earlier attempt has written it. A link that is a day older ends the search. */
async function findOwn<Document extends LinkDocument>(
  of: { store: Store; trustedKeys: readonly string[] },
  kind: ChainKind<Document>,
  sequences: readonly number[],
  id: string,
): Promise<{ document: Document; sha256: string } | undefined> {
  for (const sequence of sequences.slice(-writerLimit).reverse()) {
    const { document, sha256 } = await readLink(of, kind, sequence);
    if (document?.id === id) return { document, sha256 };
    if (document !== undefined && pointTime(document.id) < pointTime(id) - dayMs) return undefined;
  }
  return undefined;
}
