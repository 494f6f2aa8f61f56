import type { LifeboatFailure } from '../model/failures.ts';

/** One link of a chain as it was found. */
export type ChainEntry<Document> = {
  readonly key: string;
  readonly sequence: number;
  /** Of the bytes as stored; empty where the link is missing. */
  readonly sha256: string;
  /** Present only where it parses and a trusted key signed it. */
  readonly document: Document | undefined;
  /** What is wrong: SignatureInvalid, SignerUnknown, ManifestInvalid, ManifestNewer, ManifestMissing; ChainBroken may stand beside a good document. */
  readonly failure: LifeboatFailure | undefined;
};

/** The newest link that is known from outside the store: a report, a platform point, an operator's note. */
export type KnownHead = { readonly sequence: number; readonly sha256: string };

/**
 * Everything that is wrong with a chain, oldest first. A chain alone cannot show that its newest links were removed or
 * replaced by an older copy; `known` shows it.
 */
export function checkChain(chain: readonly ChainEntry<unknown>[], known?: KnownHead): LifeboatFailure[] {
  throw new Error(`checkChain is not built yet: ${String(chain.length)} ${String(known)}`);
}
