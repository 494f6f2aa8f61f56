import type { V1Pod } from '@kubernetes/client-node';
import { failure } from '../../model/failures.ts';
import type { Backends } from '../backends.ts';
import type { PodAddress } from '../clients/kubectl.ts';
import { lastLine } from '../clients/process.ts';
import { describeOwnPod, idleCommand } from './own-pod.ts';
import { runInPod } from './pod-exec.ts';

/** Something that a probe tries to reach: over TCP, or by asking for its name alone. */
export type ProbeTarget = { readonly what: string; readonly host: string; readonly port: number | 'name' };

const lifetimeSeconds = 1_800;

/** Tries all at once, three seconds each, and prints a line for each: its number, then `open` or `closed`. */
const script = `
if command -v bash >/dev/null && command -v timeout >/dev/null; then reach() { timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2"; }
elif command -v nc >/dev/null; then reach() { nc -z -w 3 "$1" "$2"; }
else echo "neither bash with timeout nor nc is in the image" >&2; exit 127; fi
if command -v getent >/dev/null; then name() { getent hosts "$1"; }
elif command -v nslookup >/dev/null; then name() { nslookup "$1"; }
else echo "neither getent nor nslookup is in the image" >&2; exit 127; fi
try() { if [ "$2" = name ]; then name "$1"; else reach "$1" "$2"; fi; }
n=0
while [ $# -gt 1 ]; do
  ( if try "$1" "$2" >/dev/null 2>&1; then echo "$n open"; else echo "$n closed"; fi ) </dev/null &
  n=$((n + 1)); shift 2
done
wait
`;

/** The pod that looks out of a scratch namespace, as any pod of it would be kept in. */
export function probePod(of: { namespace: string; run: string; image: string }): V1Pod {
  const { namespace, run } = of;
  return describeOwnPod(
    { name: 'lifeboat-probe', namespace, run, lifetimeSeconds },
    {
      securityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'probe',
          image: of.image,
          command: idleCommand(lifetimeSeconds),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
        },
      ],
    },
  );
}

/** Which of the targets a probe pod reaches now, in their order. @throws ProbeFailed where its image lacks the tools */
export async function probe(
  backends: Backends,
  pod: PodAddress,
  targets: readonly ProbeTarget[],
  signal: AbortSignal,
): Promise<boolean[]> {
  const args = targets.flatMap(({ host, port }) => [host, String(port)]);
  const { exitCode, stdout, stderr } = await runInPod(backends.access, pod, ['sh', '-c', script, 'sh', ...args], {
    signal,
    timeoutMs: 60_000,
  });
  const found = new Map([...stdout.matchAll(/^(\d+) (open|closed)$/gm)].map(([, n, state]) => [Number(n), state]));
  if (exitCode !== 0 || found.size !== targets.length)
    throw failure('ProbeFailed', {
      message: `probe from ${pod.namespace}: ${lastLine(stderr) || `${String(found.size)} of ${String(targets.length)} answers, exit ${String(exitCode)}`}`,
      subject: pod.namespace,
    });
  return targets.map((_, n) => found.get(n) === 'open');
}
