import { randomUUID } from 'node:crypto';
import { formatBytes } from '../../model/duration.ts';
import { platformReleases } from '../../model/platform.ts';
import { releasePath } from '../../model/release-name.ts';
import type { StoreCheck } from '../../transfer/check-store.ts';
import { table } from '../terminal.ts';
import { act, type Verb } from '../verb.ts';

/** `lifeboat store check|gc|specs` */
export const store: Verb = (program) => {
  const command = program.command('store').description('look after the store of recovery points');

  command
    .command('check')
    .description('compare the store with its manifests: chains, sizes of all objects, leftovers; reads no data')
    .option('--replica', 'the second store in place of the first')
    .action(
      act<{ replica?: boolean }>(async (session, { replica = false }) => {
        const { platform } = await session.platform();
        const [opened, kit, { checkStore }] = await Promise.all([
          replica ? session.replica() : session.store(),
          session.kit(),
          import('../../transfer/check-store.ts'),
        ]);
        const releases = platformReleases(platform);
        const check = await checkStore({
          store: opened,
          trustedKeys: [kit.signing.publicKey],
          platform: platform.platform,
          releases,
          now: new Date(),
        });
        const { terminal } = session;
        if (terminal.json) terminal.printJson(check);
        else terminal.print(describe(check, new Set(releases.map(releasePath)), opened.address));
        // Nothing is wrong with an empty store, and it is no backup: the wrong prefix, a directory that is not mounted.
        return check.findings.some(({ kind }) => kind === 'damage') || !holdsPoints(check) ? 1 : 0;
      }),
    );

  command
    .command('specs')
    .description(
      'try out and ask what the store keeps to, compare it with the last time, and keep the answer in the store',
    )
    .option('--replica', 'the second store in place of the first')
    .action(
      act<{ replica?: boolean }>(async (session, { replica = false }) => {
        const [opened, kit, { takeSpecs }, { judgeSpecs }] = await Promise.all([
          replica ? session.replica() : session.store(),
          session.kit(),
          import('../../transfer/store-specs.ts'),
          import('../../model/store-specs.ts'),
        ]);
        const { specs, changed } = await takeSpecs({ store: opened, kit, now: new Date() });
        const judged = judgeSpecs(specs);
        const { terminal } = session;
        if (terminal.json) terminal.printJson({ specs, changed, judged });
        else {
          const { apiVersion, kind, at, ...found } = specs;
          terminal.print(
            table(
              ['', ''],
              Object.entries(found).map(([name, value]) => [name, String(value)]),
            ),
          );
          for (const line of changed ?? []) terminal.print(`! changed since the last time: ${line}`);
          for (const { fits, said } of judged) terminal.print(`${fits ? '!' : '✗'} ${said}`);
          if (judged.length === 0) terminal.print('✓ it has all that Lifeboat can use');
        }
        return judged.some(({ fits }) => !fits) ? 1 : 0;
      }),
    );

  command
    .command('gc')
    .description(
      'remove what no manifest names and nobody writes any more: backups that did not end, repeated attempts',
    )
    .option('--dry-run', 'only show it')
    .option('--replica', 'the second store in place of the first: expired points leave it by this alone')
    .action(
      act<{ dryRun?: boolean; replica?: boolean }>(async (session, { dryRun = false, replica = false }) => {
        const { platform } = await session.platform();
        const [opened, kit, { collectGarbage, sumGarbage }] = await Promise.all([
          replica ? session.replica() : session.store(),
          session.kit(),
          import('../../transfer/collect-garbage.ts'),
        ]);
        const run = { workflowId: 'lifeboat store gc', runId: randomUUID() };
        const releases = platformReleases(platform);
        const of = { store: opened, kit, platform: platform.platform, releases, run, now: new Date(), dryRun };
        const collected = await collectGarbage(of);
        const { objects, bytes } = sumGarbage(collected.garbage);
        const { terminal } = session;
        if (terminal.json) terminal.printJson({ ...collected, objects, bytes, removed: !dryRun });
        else {
          for (const each of collected.garbage)
            terminal.print(`${each.subject}: ${String(each.objects)} objects ${each.why}, ${formatBytes(each.bytes)}`);
          const what = `${String(objects)} objects, ${formatBytes(bytes)}`;
          terminal.print(objects === 0 ? 'no garbage' : `${dryRun ? 'would remove' : '✓ removed'} ${what}`);
          for (const { release, why } of collected.inDoubt) terminal.note(`! left alone: ${release}: ${why}`);
        }
        return collected.inDoubt.length > 0 ? 1 : 0;
      }),
    );
};

function holdsPoints({ releases }: StoreCheck): boolean {
  return releases.some(({ points }) => points > 0);
}

function describe(check: StoreCheck, own: ReadonlySet<string>, address: string): string {
  const rows = check.releases.map(({ release, points, storedBytes, newest }) => [
    release,
    String(points),
    formatBytes(storedBytes),
    newest ?? '-',
    own.has(release) ? '' : 'not in lifeboat.yaml',
  ]);
  const findings = check.findings.map(({ kind, subject, message, bytes }) =>
    kind === 'damage' ? `✗ ${subject}: ${message}` : `! ${subject}: ${message}, ${formatBytes(bytes)}`,
  );
  const damaged = check.findings.filter(({ kind }) => kind === 'damage').length;
  return [
    table(['RELEASE', 'POINTS', 'STORED', 'NEWEST', ''], rows),
    '',
    `${address}: ${String(check.objects)} objects, ${formatBytes(check.storedBytes)}`,
    ...findings,
    !holdsPoints(check)
      ? '✗ it has no recovery point'
      : damaged === 0
        ? '✓ every chain is whole, and every object that a manifest names is there in its size; lifeboat verify reads them'
        : `✗ ${String(damaged)} damaged`,
  ].join('\n');
}
