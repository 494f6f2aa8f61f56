import type { Identity } from 'age-encryption';

/** What opens an age file: `AGE-SECRET-KEY-1…`, or the key of that one file. */
export type AgeIdentity = string | Identity;

/** Opens one age file by its own key and no other: the header's MAC does not fit another. */
export function fileKeyIdentity(fileKey: Uint8Array): AgeIdentity {
  return { unwrapFileKey: () => fileKey };
}
