import type { BoundPlan, BoundWorkload } from '../../model/bound-plan.ts';
import { type Moves, moveEndpoints } from '../../model/drill.ts';
import { failure } from '../../model/failures.ts';
import { type ReleaseName, releaseTitle } from '../../model/release-name.ts';

/** Moves a plan into another namespace. @throws NamespaceMismatch where it reaches into another release */
export function moveInto(bound: BoundPlan, namespace: string): BoundPlan {
  const hosted = Object.values(bound.hosts).map((host) => releaseTitle(host.release));
  if (hosted.length > 0) {
    throw failure('NamespaceMismatch', {
      message: `recover ${releaseTitle(bound.release)} into ${namespace}: its database lives in ${hosted.join(', ')} and would be overwritten there`,
    });
  }
  return moveWorkloads(bound, () => namespace);
}

/**
 * Moves a plan into the scratch namespaces of a drill, together with the servers in other releases that hold a part of
 * its data. @throws EndpointUnmapped where one of them is not part of the drill
 */
export function moveIntoDrill(bound: BoundPlan, moves: Moves): BoundPlan {
  const move = (namespace: string): string => {
    const to = moves[namespace];
    if (to === undefined)
      throw failure('EndpointUnmapped', {
        message: `move ${releaseTitle(bound.release)} into the drill: its data is in the namespace ${namespace}, of which nothing is drilled`,
        subject: releaseTitle(bound.release),
      });
    return to;
  };
  const movePath = (path: string): string => {
    const [cluster = '', namespace = '', name = ''] = path.split('/');
    return moves[namespace] === undefined ? path : `${cluster}/${moves[namespace]}/${name}`;
  };
  const moveTitle = (title: string): string => movePath(`/${title}`).slice(1);
  return {
    ...moveWorkloads(bound, move),
    hosts: Object.fromEntries(
      Object.entries(bound.hosts).map(([name, host]) => [
        name,
        { release: moveRelease(host.release, move), workload: moveWorkload(host.workload, move) },
      ]),
    ),
    parameters: Object.fromEntries(
      Object.entries(bound.parameters).map(([name, value]) => [name, moveEndpoints(value, moves)]),
    ),
    claims: bound.claims.map(({ host, database, by }) => ({ host: movePath(host), database, by: moveTitle(by) })),
    requires: bound.requires.map(movePath),
    moved: moves,
  };
}

function moveWorkloads(bound: BoundPlan, move: (namespace: string) => string): BoundPlan {
  return {
    ...bound,
    release: moveRelease(bound.release, move),
    workloads: Object.fromEntries(
      Object.entries(bound.workloads).map(([name, workload]) => [name, moveWorkload(workload, move)]),
    ),
  };
}

function moveRelease(release: ReleaseName, move: (namespace: string) => string): ReleaseName {
  return { ...release, namespace: move(release.namespace) };
}

function moveWorkload(workload: BoundWorkload, move: (namespace: string) => string): BoundWorkload {
  return { ...workload, namespace: move(workload.namespace) };
}
