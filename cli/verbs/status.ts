import { join, resolve } from 'node:path';
import type { HeldLock } from '../../activities/clients/leases.ts';
import { durationMs } from '../../model/duration.ts';
import { platformReleases } from '../../model/platform.ts';
import { lacksOf } from '../../model/recovery-point.ts';
import { releasePath, releaseTitle } from '../../model/release-name.ts';
import { isDefaultPoint } from '../../transfer/points.ts';
import { type ReplicaState, readReplica, replicaCell } from '../replica-state.ts';
import { age, table } from '../terminal.ts';
import { act, type Verb } from '../verb.ts';
import { type ListedPoint, listPoints, proofOf } from './points.ts';

type Row = {
  release: string;
  tier: number;
  point: string | null;
  capturedAt: string | null;
  /** The newest point that a recovery takes by itself: what the RPO is measured by. */
  goodPoint: string | null;
  rpoMet: boolean | null;
  rpo: string;
  proof: string;
  restored: string | null;
  /** What the newest point does not have though its plan names it. */
  lacks: string[];
  /** Where lifeboat.yaml has a replica that answers. */
  replica?: ReplicaState;
  state: string;
};

/** `lifeboat status` */
export const status: Verb = (program) => {
  program
    .command('status')
    .description('each release with its newest point, its age against the objective, and what runs on it')
    .action(
      act(async (session) => {
        const { platform, directory } = await session.platform();
        const releases = platformReleases(platform);
        const { points, problems, broken } = await listPoints(session, releases);
        const replica = await readReplica(
          session,
          releases,
          (title) => points.find(({ release }) => release === title)?.manifest,
        );
        problems.push(...(replica?.problems ?? []));
        const locks = await heldLocks(
          platform.cluster.kubeconfig === undefined ? undefined : resolve(directory, platform.cluster.kubeconfig),
          platform.cluster.context,
        );
        const { loadPlans } = await import('../../activities/plan-catalogue.ts');
        const plans = await loadPlans([
          ...(platform.plans === undefined ? [] : [resolve(directory, platform.plans)]),
          join(import.meta.dirname, '..', '..', 'charts'),
        ]);
        const rows = releases.map((release): Row => {
          const title = releaseTitle(release);
          const own = points.filter((each) => each.release === title);
          const newest = own[0];
          const onReplica = replica?.states.get(title);
          const good = own.find(isDefaultPoint);
          const entry = platform.releases.find((each) => each.release === title);
          const chart = newest?.manifest.chart.name;
          const plan =
            chart === undefined ? undefined : plans.all().find((each) => each.plan.charts.includes(chart))?.plan;
          const rpo = entry?.objectives?.rpo ?? plan?.objectives.rpo;
          const restored = own
            .flatMap((each) => each.verifications)
            .filter((verification) => verification.proof === 'restored')
            .map((verification) => verification.at)
            .sort()
            .at(-1);
          const lock = locks === undefined ? undefined : locks.find((each) => each.release === releasePath(release));
          return {
            release: title,
            tier: entry?.tier ?? newest?.manifest.tier ?? plan?.tier ?? 0,
            point: newest?.manifest.id ?? null,
            capturedAt: newest?.manifest.capturedAt ?? null,
            rpo: rpo ?? '–',
            rpoMet:
              newest === undefined || rpo === undefined
                ? null
                : good !== undefined && Date.now() - Date.parse(good.manifest.capturedAt) <= durationMs(rpo),
            goodPoint: good?.manifest.id ?? null,
            proof:
              newest === undefined ? '–' : `${proofOf(newest.manifest, newest.verifications)}${lastGood(newest, good)}`,
            restored: restored ?? null,
            lacks: newest === undefined ? [] : lacksOf(newest.manifest),
            ...(onReplica === undefined ? {} : { replica: onReplica }),
            state:
              newest === undefined
                ? broken.has(title)
                  ? 'no point can be read'
                  : `never backed up   lifeboat backup ${title}`
                : lock === undefined
                  ? locks === undefined
                    ? 'cluster unreachable'
                    : 'idle'
                  : `busy   lifeboat watch ${lock.holder.workflowId}`,
          };
        });
        if (session.terminal.json)
          session.terminal.printJson({
            platform: platform.platform,
            cluster: platform.cluster.name,
            releases: rows,
            problems,
          });
        else {
          session.terminal.print(
            `PLATFORM ${platform.platform}   cluster ${platform.cluster.name}   store ${(await session.store()).address}   ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC\n`,
          );
          session.terminal.print(
            table(
              [
                ...['TIER', 'RELEASE', 'LAST POINT', 'AGE', 'RPO', 'PROOF', 'RESTORED'],
                ...(replica === undefined ? [] : ['REPLICA']),
                'STATE',
              ],
              rows
                .sort((a, b) => a.tier - b.tier || a.release.localeCompare(b.release))
                .map((row) => rowCells(row, replica !== undefined)),
            ),
          );
        }
        for (const problem of problems) session.terminal.note(`✗ ${problem}`);
        return problems.length === 0 ? 0 : 1;
      }),
    );
};

/** Where the newest point is not what a recovery would take: how old that is. */
function lastGood(newest: ListedPoint, good: ListedPoint | undefined): string {
  if (good === newest) return '';
  return good === undefined ? ', none is good' : `, last good one ${age(good.manifest.capturedAt)}`;
}

function rowCells(row: Row, withReplica: boolean): string[] {
  const met = row.rpoMet === null ? (row.point === null ? ' ✗' : '') : row.rpoMet ? ' ✓' : ' ✗';
  return [
    String(row.tier),
    row.release,
    row.point ?? '–',
    row.capturedAt === null ? '–' : age(row.capturedAt),
    `${row.rpo}${met}`,
    row.lacks.length === 0 ? row.proof : `${row.proof}, lacks ${row.lacks.join(', ')} ✗`,
    row.restored === null ? 'never' : `${age(row.restored)} ago ✓`,
    ...(withReplica ? [replicaCell(row.replica, row.point)] : []),
    row.state,
  ];
}

/** The locks, or undefined where the cluster does not answer: status must work when it is gone. */
async function heldLocks(kubeconfig: string | undefined, context: string | undefined): Promise<HeldLock[] | undefined> {
  try {
    const [{ listLocks }, { openKubernetes }] = await Promise.all([
      import('../../activities/clients/leases.ts'),
      import('../../activities/clients/kubernetes.ts'),
    ]);
    return await listLocks(openKubernetes({ kubeconfig, context }));
  } catch {
    return undefined;
  }
}
