/** What opens an age file: `AGE-SECRET-KEY-1…`, or the key of that one file and of no other. */
export type AgeIdentity = string | { readonly fileKey: Uint8Array };
