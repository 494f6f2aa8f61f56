import type { Facts } from '../../model/facts.ts';
import { pathBytes } from '../facts/path-segment.ts';
import type { DirectoryToReplace } from './directory-restore.ts';
import { streamToPod } from './pod-exec.ts';

/** Arguments: directory, owner. Stdin: paths below it, each ended by a zero byte. */
const giveOwnerScript = 'cd "$1" && exec xargs -0 chown -h "$2" --';

/**
 * Gives symbolic links their owners where nothing but these differs from what was captured: busybox's tar makes links that
 * lead up or to the root last, and leaves them to whoever extracts. Idempotent.
 * @returns whether it changed anything
 * @throws RestoreFailed, PodGone
 */
export async function giveLinksOwners(
  of: Pick<DirectoryToReplace, 'access' | 'pod' | 'directory' | 'signal'>,
  captured: Facts,
  restored: Facts,
): Promise<boolean> {
  const byOwner = new Map<string, Buffer[]>();
  for (const path of new Set([...Object.keys(captured), ...Object.keys(restored)])) {
    const [was, is] = [captured[path], restored[path]];
    if (was === is) continue;
    const [link, now] = [linkOf(was), linkOf(is)];
    if (link === undefined || now?.target !== link.target) return false;
    const raw = Buffer.concat([Buffer.from('./'), pathBytes(path.slice('file/'.length)), Buffer.alloc(1)]);
    byOwner.set(link.owner, [...(byOwner.get(link.owner) ?? []), raw]);
  }
  for (const [owner, paths] of byOwner) {
    const command = ['sh', '-c', giveOwnerScript, 'sh', of.directory, owner];
    await streamToPod(of.access, of.pod, command, inOnePiece(Buffer.concat(paths)), {}, of.signal);
  }
  return byOwner.size > 0;
}

function linkOf(fact: string | number | undefined): { owner: string; target: string } | undefined {
  const found = /^symlink (?<owner>[0-9]+:[0-9]+) (?<target>.*)$/s.exec(String(fact ?? ''))?.groups;
  return found === undefined ? undefined : { owner: found['owner'] ?? '', target: found['target'] ?? '' };
}

async function* inOnePiece(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
