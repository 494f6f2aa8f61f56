import { z } from 'zod';

const Whole = z.number().int().min(0);

/** The first line of an archive's index. */
export const ArchiveIndexHeader = z.strictObject({
  kind: z.literal('ArchiveIndex'),
  formatVersion: z.literal(1),
  /** The stream of the component that it leads into. */
  stream: z.literal('tar'),
});
export type ArchiveIndexHeader = z.infer<typeof ArchiveIndexHeader>;

/** A member of an archive, and where its content lies: one line of the index each, in the order of the archive. */
export const ArchiveMember = z.strictObject({
  /** As facts name it, without `file/`: bytes that are no text, control characters and `%` are `%XX`. */
  path: z.string().min(1),
  type: z.enum(['file', 'hardlink', 'symlink', 'character', 'block', 'directory', 'pipe']),
  /** Permissions with setuid, setgid and sticky. */
  mode: Whole.max(0o7777),
  uid: Whole,
  gid: Whole,
  sizeBytes: Whole,
  /** Seconds since 1970, with a fraction where the archive has one. */
  mtime: z.number(),
  /** Where its content begins in the plaintext of the stream. */
  at: Whole,
  /** Of a symbolic or hard link, written as a path is. */
  target: z.string().optional(),
});
export type ArchiveMember = z.infer<typeof ArchiveMember>;
