import type { BoundWorkload } from '../../model/bound-plan.ts';
import { shellWords } from '../../model/shell-words.ts';

/**
 * The line of RESTORE.md that gives its stdin to a command in a pod of a workload; without a workload, to the command. It names the
 * workload, whose pods come and go.
 */
export function stockCommand(workload: BoundWorkload | undefined, command: readonly string[]): string {
  if (workload === undefined) return shellWords(command);
  const { namespace, kind, name, container } = workload;
  const pod = `${kind.toLowerCase()}/${name}`;
  return shellWords(['kubectl', 'exec', '-i', '-n', namespace, pod, '-c', container, '--', ...command]);
}

/** The line that unpacks an archive from its stdin beside the guide, to be put where it belongs by hand. */
export function unpackCommand(folder: string, flags: readonly string[], where: string): string {
  const into = shellWords([`../${folder}`]);
  return `(mkdir -p ${into} && ${shellWords(['tar', '-xpf', '-', '--numeric-owner', ...flags])} -C ${into})   # ${where}`;
}
