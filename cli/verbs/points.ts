import { formatBytes } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import { platformReleases } from '../../model/platform.ts';
import { lacksOf, type Manifest, type Verification } from '../../model/recovery-point.ts';
import { findRelease, type ReleaseName, releaseTitle } from '../../model/release-name.ts';
import { type FoundHold, readHolds } from '../../transfer/holds.ts';
import { pointPrefix } from '../../transfer/point-names.ts';
import { readLivePoints } from '../../transfer/points.ts';
import { readVerificationsOf } from '../../transfer/verifications.ts';
import { ofEachRelease } from '../of-each-release.ts';
import type { Session } from '../session.ts';
import { table, when } from '../terminal.ts';
import { act, type Verb } from '../verb.ts';
import { addFileCommands } from './point-files.ts';
import { addHoldCommands } from './point-holds.ts';

export type ListedPoint = {
  readonly release: string;
  readonly manifest: Manifest;
  readonly verifications: readonly Verification[];
  /** Since when it is expired: its data is removed when its grace is over; null for a point that is kept. */
  readonly expiredAt: string | null;
  readonly holds: readonly FoundHold[];
};

/** What a point has proven: its own proof, or that of its newest verification. */
export function proofOf(manifest: Manifest, verifications: readonly Verification[]): string {
  const [newest] = verifications;
  if (newest?.outcome === 'damaged') return `damaged (${newest.failure?.code ?? ''})`;
  if (manifest.suspect !== null) return 'suspect';
  return verifications.some((each) => each.proof === 'restored') ? 'restored' : (newest?.proof ?? manifest.proof);
}

/**
 * Points of some releases that are there, newest first, what is wrong with their chains, and which
 * releases that concerns. Removed ones are left out.
 */
export async function listPoints(
  session: Session,
  releases: readonly ReleaseName[],
): Promise<{ points: ListedPoint[]; problems: string[]; broken: ReadonlySet<string> }> {
  const listed = await ofEachRelease(releases, async (release) => await pointsOf(session, release));
  return {
    points: listed.flatMap(({ points }) => points),
    problems: listed.flatMap(({ problems }) => problems),
    broken: new Set(listed.flatMap(({ title, problems }) => (problems.length === 0 ? [] : [title]))),
  };
}

async function pointsOf(
  session: Session,
  release: ReleaseName,
): Promise<{ title: string; points: ListedPoint[]; problems: string[] }> {
  const [store, kit] = [await session.store(), await session.kit()];
  const reading = { store, trustedKeys: [kit.signing.publicKey], release };
  const [{ chain, tombstones }, holds] = await Promise.all([
    readLivePoints(reading),
    readHolds({ ...reading, now: new Date() }),
  ]);
  const ids = chain.flatMap(({ document }) => (document === undefined ? [] : [document.id]));
  const verificationsOf = await readVerificationsOf({ ...reading, points: ids });
  const title = releaseTitle(release);
  return {
    title,
    points: chain.flatMap(({ document }) =>
      document === undefined
        ? []
        : [
            {
              release: title,
              manifest: document,
              verifications: verificationsOf(document.id),
              expiredAt: tombstones.expired.get(document.id)?.at ?? null,
              holds: holds.get(document.id) ?? [],
            },
          ],
    ),
    problems: chain.flatMap(({ sequence, failure: problem }) =>
      problem === undefined ? [] : [`${title} ${String(sequence)}: ${problem.code}: ${problem.message}`],
    ),
  };
}

/** The release that a point belongs to. @throws PointUnknown */
export async function findPointOwner(session: Session, id: string): Promise<string> {
  const { platform } = await session.platform();
  const releases = platformReleases(platform);
  const { points } = await listPoints(session, releases);
  const found = points.find((each) => each.manifest.id === id) ?? (await findLostPoint(session, releases, id));
  if (found === undefined)
    throw failure('PointUnknown', { message: `find point ${id}: no release of lifeboat.yaml has it` });
  return found.release;
}

/** The release that a point without a manifest left objects of: the run says what is wrong with it. */
async function findLostPoint(
  session: Session,
  releases: readonly ReleaseName[],
  id: string,
): Promise<{ release: string } | undefined> {
  const store = await session.store();
  for (const release of releases)
    for await (const _ of store.list(`${pointPrefix(release, id)}/`)) return { release: releaseTitle(release) };
  return undefined;
}

/** `lifeboat points [RELEASE]`, `lifeboat points show|files|extract|hold|unhold ID` */
export const points: Verb = (program) => {
  const command = program.command('points').description('list recovery points');
  command
    .command('list', { isDefault: true })
    .argument('[release]', 'namespace/name, or a name that is unique')
    .action(
      act(async (session, _options, [name] = []) => {
        const { platform } = await session.platform();
        const all = platformReleases(platform);
        const chosen =
          name === undefined
            ? all
            : [findRelease(name, all)].map((found) => (typeof found === 'string' ? refuse(found) : found));
        const { points: listed, problems } = await listPoints(session, chosen);
        if (session.terminal.json) session.terminal.printJson({ points: listed, problems });
        else if (listed.length === 0)
          session.terminal.print(`no recovery points in ${(await session.store()).address}`);
        else session.terminal.print(pointTable(listed));
        for (const problem of problems) session.terminal.note(`✗ ${problem}`);
        return problems.length === 0 ? 0 : 1;
      }),
    );
  command
    .command('show')
    .description('show one point: its components, facts and verifications')
    .argument('<id>')
    .action(
      act(async (session, _options, [id = ''] = []) => {
        const found = await findListedPoint(session, id);
        if (session.terminal.json) session.terminal.printJson(found);
        else session.terminal.print(pointText(found));
        return 0;
      }),
    );
  addFileCommands(command, findListedPoint);
  addHoldCommands(command, findPointOwner);
};

/** A point that is there, by its id. @throws PointUnknown */
async function findListedPoint(session: Session, id: string): Promise<ListedPoint> {
  const { platform } = await session.platform();
  const { points: listed } = await listPoints(session, platformReleases(platform));
  const found = listed.find((each) => each.manifest.id === id);
  if (found !== undefined) return found;
  throw failure('PointUnknown', { message: `find point ${id}: no release of lifeboat.yaml has it` });
}

function refuse(message: string): never {
  throw failure('ReleaseUnknown', { message });
}

function pointTable(listed: readonly ListedPoint[]): string {
  const rows = listed.map(({ release, manifest, verifications, ...marks }) => [
    release,
    manifest.id,
    when(manifest.capturedAt),
    formatBytes(manifest.storedBytes),
    proofOf(manifest, verifications),
    `${manifest.chart.name} ${manifest.chart.version}`,
    [...lacks(manifest), retentionOf(marks)].filter((mark) => mark !== '').join('; '),
  ]);
  return table(['RELEASE', 'POINT', 'CAPTURED (UTC)', 'SIZE', 'PROOF', 'CHART', ''], rows);
}

/** What a point lacks, as a mark. */
function lacks(manifest: Manifest): string[] {
  const names = lacksOf(manifest);
  return names.length === 0 ? [] : [`lacks ${names.join(', ')}`];
}

/** Whether a point is held, or expired. */
function retentionOf({ expiredAt, holds }: Pick<ListedPoint, 'expiredAt' | 'holds'>): string {
  return [
    ...(expiredAt === null ? [] : [`expired ${when(expiredAt)}`]),
    ...holds.map(({ by, reason, until }) =>
      [
        `held by ${by}`,
        ...(reason === '' ? [] : [`: ${reason}`]),
        ...(until === null ? [] : [`, until ${when(until)}`]),
      ].join(''),
    ),
  ].join('; ');
}

function pointText({ release, manifest, verifications, ...marks }: ListedPoint): string {
  const rows = manifest.components.map((record) => [
    record.component,
    record.method,
    formatBytes(record.artifacts.reduce((sum, artifact) => sum + artifact.plainBytes, 0)),
    formatBytes(record.artifacts.reduce((sum, artifact) => sum + artifact.storedBytes, 0)),
    Object.entries(record.totals)
      .map(([name, value]) => `${String(value)} ${name}`)
      .join(', '),
  ]);
  const retention = retentionOf(marks);
  return [
    `${release} ${manifest.id}   captured ${when(manifest.capturedAt)}   proof ${proofOf(manifest, verifications)}`,
    `chart ${manifest.chart.name} ${manifest.chart.version} (${manifest.chart.appVersion})   sequence ${String(manifest.sequence)}   by ${manifest.tool}`,
    ...(retention === '' ? [] : [retention]),
    '',
    table(['COMPONENT', 'METHOD', 'PLAIN', 'STORED', 'FACTS'], rows),
    ...manifest.notCaptured.map(({ component, reason }) => `not captured: ${component} (${reason})`),
    ...manifest.components.flatMap(({ component, missing }) =>
      missing.map(({ stream, reason }) => `not captured: ${component}.${stream} (${reason})`),
    ),
    '',
    `without Lifeboat: ${manifest.restoreGuide.key}`,
    ...verifications.map(
      (each) =>
        `${when(each.at)}  ${each.outcome}, ${each.proof}${each.failure === null ? '' : `: ${each.failure.message}`}`,
    ),
  ].join('\n');
}
