import type { V1EnvVar, V1Pod, V1Secret } from '@kubernetes/client-node';
import type { BoundWorkload } from '../../model/bound-plan.ts';
import { failure } from '../../model/failures.ts';
import { type MoverJob, moverPaths } from '../../model/mover-job.ts';
import type { Backends } from '../backends.ts';
import { type Beside, mountClaim, placement, readBeside, toolImage, toolSecurity } from './beside-workload.ts';
import { describeOwnPod, namedBy } from './own-pod.ts';

/** Names of the containers: the command beside the data, and the data path. */
export const moverContainers = { command: 'command', mover: 'mover' } as const;
const lifetimeSeconds = 24 * 3600;
/** In it the mover takes back what it stored. */
export const moverGraceSeconds = 10;
const moverUser = 1000;

/** A command that a mover runs beside the data, in the workload's image and as its user. */
export type MovedCommand = {
  readonly command: readonly string[];
  /** A directory in the workload's container: the claim that holds it is mounted in the same place. */
  readonly mount?: string;
  readonly isReadOnly?: boolean;
  /** Variables of the workload's container that the command needs. */
  readonly env?: readonly string[];
};

/**
 * Runs "$@" with its stdout, or its stdin, in the pipe that the mover makes. Its exit code and the end of its stderr are in
 * the status once it is there.
 */
function besidePipe(kind: MoverJob['kind']): string {
  const { pipe, status } = moverPaths;
  const direction = kind === 'restore' ? '<' : '>';
  return `
until [ -p ${pipe} ]; do sleep 0.2 2>/dev/null || sleep 1; done
{ "$@" ${direction}${pipe} 2>&3 3>&-; echo $? >${status}.code; } 3>&1 ${direction === '<' ? '>/dev/null ' : ''}| tail -c 4096 >${status}.said
cat ${status}.code ${status}.said >${status}.new
mv ${status}.new ${status}`;
}

/** What a mover does, and beside which workload. */
export type MoverFor = {
  readonly backends: Backends;
  readonly workload: BoundWorkload;
  readonly command: MovedCommand;
  readonly job: MoverJob;
  /** Names the pod: a second attempt ends the first one's. */
  readonly generation: string;
  readonly run: string | undefined;
};

/** The pod of a mover and the Secret with its job. @throws BindingFailed, ConfigInvalid */
export async function describeMover(of: MoverFor): Promise<{ pod: V1Pod; secret: V1Secret }> {
  const { backends, workload, command, job } = of;
  const { mover } = backends.platform;
  if (mover === undefined)
    throw failure('ConfigInvalid', { message: 'describe mover: lifeboat.yaml has no `mover`, the image that it runs' });
  const beside = await readBeside(backends, workload);
  const volume =
    command.mount === undefined ? undefined : mountClaim(workload, beside, command.mount, command.isReadOnly === true);
  const named = namedBy('lifeboat-mover', of);
  const shared = { name: 'shared', mountPath: moverPaths.shared };
  const pod = describeOwnPod(
    { ...named, namespace: workload.namespace, lifetimeSeconds, graceSeconds: moverGraceSeconds },
    {
      ...placement(beside),
      containers: [
        {
          name: moverContainers.mover,
          image: mover.image,
          args: ['mover'],
          securityContext: {
            runAsUser: moverUser,
            runAsGroup: moverUser,
            runAsNonRoot: true,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '512Mi' } },
          volumeMounts: [shared, { name: 'job', mountPath: moverPaths.job.replace(/\/[^/]+$/, ''), readOnly: true }],
        },
        {
          ...(volume === undefined ? { image: workload.image } : toolImage(backends, workload, beside.container)),
          name: moverContainers.command,
          command: ['sh', '-c', besidePipe(job.kind), 'sh', ...command.command],
          env: (command.env ?? []).map((name) => variable(workload, beside, name)),
          securityContext: toolSecurity(workload, beside.container),
          resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '512Mi' } },
          volumeMounts: [shared, ...(volume === undefined ? [] : [volume.mount])],
        },
      ],
      volumes: [
        { name: 'shared', emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
        { name: 'job', secret: { secretName: named.name, defaultMode: 0o444 } },
        ...(volume === undefined ? [] : [{ name: 'volume', persistentVolumeClaim: { claimName: volume.claimName } }]),
      ],
    },
  );
  return {
    pod,
    secret: {
      ...(pod.metadata === undefined ? {} : { metadata: pod.metadata }),
      stringData: { 'job.json': JSON.stringify(job) },
    },
  };
}

/** A variable of the workload's container, with where its value comes from. @throws BindingFailed */
function variable(workload: BoundWorkload, { container }: Beside, name: string): V1EnvVar {
  const found = container.env?.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw failure('BindingFailed', {
    message: `describe mover: the container ${workload.container} of ${workload.name} sets no variable ${name}`,
  });
}
