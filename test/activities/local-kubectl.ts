import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterAccess, PodAddress } from '../../activities/clients/kubectl.ts';

/** A pod that is this machine. */
export const localPod: PodAddress = { namespace: 'here', pod: 'here-0', container: 'here' };

/**
 * A kubectl whose `exec` runs the command on this machine, for what the shell scripts of executors do; with `before`
 * and `after` it breaks, as real ones do. It is for faults and for scripts, never for a success against a cluster.
 */
export async function localKubectl(of: { before?: string; after?: string } = {}): Promise<ClusterAccess> {
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-kubectl-'));
  const kubectl = join(directory, 'kubectl');
  const script = `#!/bin/bash
while [ "$1" != -- ]; do shift; done
shift
${of.before ?? ''}
"$@" | cat
code=\${PIPESTATUS[0]}
${of.after ?? ''}
exit $code
`;
  await writeFile(kubectl, script);
  await chmod(kubectl, 0o755);
  return { kubectl, helm: 'helm', kubeconfig: undefined, context: undefined };
}
