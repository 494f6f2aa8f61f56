import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';
import { lastLine } from '../clients/process.ts';
import type { DirectoryToReplace } from './directory-restore.ts';
import { runInPod } from './pod-exec.ts';

/** Which of the attributes of files an archive carries. */
export type CarriedAttributes = { readonly attributes: boolean; readonly acls: boolean };

/** Options of GNU tar that restore what an archive carries. Only `user.`: others are the kernel's or a security module's. */
export function extractFlags({ attributes, acls }: CarriedAttributes): string[] {
  return [...(attributes ? ['--xattrs', '--xattrs-include=user.*'] : []), ...(acls ? ['--acls'] : [])];
}

/** The same for archiving. Times of access and change are restored by nobody, and would cost each member a header. */
export function archiveFlags(carried: CarriedAttributes): string[] {
  const flags = extractFlags(carried);
  return flags.length === 0 ? [] : [...flags, '--pax-option=delete=atime,delete=ctime'];
}

/** What an archive carried, by its facts. */
export function carriedBy(facts: Facts): CarriedAttributes {
  const paths = Object.keys(facts);
  return {
    attributes: paths.some((path) => path.startsWith('attributes/')),
    acls: paths.some((path) => path.startsWith('acl/')),
  };
}

/**
 * Looks for extended attributes and ACLs below a directory by a verbose listing of GNU tar, which marks them behind the
 * mode and reads no content when it writes to /dev/null. Labels of SELinux are on every file where it runs. Prints `unknown`
 * (another tar), or some of: `attributes`, `acls`, `others` (attributes that are not carried), `shut` (attributes on what its
 * owner may not write), `mighty` (who runs this may write it all the same, CAP_DAC_OVERRIDE). Arguments: directory, options.
 */
export const findAttributesScript = `
directory=$1; shift
case $(tar --version 2>/dev/null) in *"GNU tar"*) ;; *) echo unknown; exit ;; esac
command -v grep >/dev/null || { echo unknown; exit; }
[ -z "$(tar --xattrs --acls -cf /dev/null -T /dev/null 2>&1)" ] || { echo unknown; exit; }
listed() { line=$1; shift; tar -C "$directory" "$@" -cvvf /dev/null . 2>/dev/null | LC_ALL=C grep -q "$line"; }
listed '^.\\{10\\}[+*]' --acls --xattrs --xattrs-include='*' --xattrs-exclude=security.selinux "$@" || exit 0
if listed '^.\\{10\\}[+]' --acls "$@"; then echo acls; fi
if listed '^.\\{10\\}[*]' --xattrs --xattrs-include='user.*' "$@"; then
  echo attributes
  if listed '^..-.\\{7\\}[*]' --xattrs --xattrs-include='user.*' "$@"; then echo shut; fi
fi
if listed '^.\\{10\\}[*]' --xattrs --xattrs-include='*' --xattrs-exclude='user.*' --xattrs-exclude='system.posix_acl_*' \\
  --xattrs-exclude=security.selinux "$@"; then echo others; fi
case $(grep ^CapEff: /proc/self/status 2>/dev/null) in *[2367abef]) echo mighty ;; esac
`;

/** What an archive is to carry, and what a person must know of the rest. */
export type FoundAttributes = { readonly carries: CarriedAttributes; readonly notes: string[] };

/**
 * Looks for extended attributes and ACLs below a directory. Attributes of what its owner may not write are carried only
 * where whoever restores may write everything: GNU tar makes a file with its mode before it sets its attributes and fills it,
 * and a restore that fails is worse than a note. Changes nothing.
 * @param of.isBare - whether the pod that restores is without the capabilities of the one that captures
 * @param options - of tar: what is left out of the archive
 * @throws DumpFailed, PodGone
 */
export async function findAttributes(
  of: Pick<DirectoryToReplace, 'access' | 'pod' | 'directory' | 'signal'> & { readonly isBare: boolean },
  options: readonly string[],
): Promise<FoundAttributes> {
  const command = ['sh', '-c', findAttributesScript, 'sh', of.directory, ...options];
  const { exitCode, stdout, stderr } = await runInPod(of.access, of.pod, command, { signal: of.signal });
  if (exitCode === 127) return { carries: { attributes: false, acls: false }, notes: [] };
  if (exitCode !== 0)
    throw failure('DumpFailed', { message: `look for attributes below ${of.directory}: ${lastLine(stderr)}` });
  const said = new Set(stdout.trim().split('\n'));
  const isShut = said.has('shut') && (of.isBare || !said.has('mighty'));
  const notes: readonly (readonly [boolean, string])[] = [
    [
      said.has('unknown'),
      'extended attributes and ACLs, if files have any, are not kept: the tar of the image is not GNU tar',
    ],
    [
      isShut,
      'extended attributes are not kept: files without write permission have some, which tar could not restore here',
    ],
    [said.has('others'), 'extended attributes outside `user.`, such as capabilities of programs, are not kept'],
  ];
  return {
    carries: { attributes: said.has('attributes') && !isShut, acls: said.has('acls') },
    notes: notes.filter(([applies]) => applies).map(([, note]) => note),
  };
}
