import type { Command } from 'commander';
import { Duration, durationMs } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import { platformReleases } from '../../model/platform.ts';
import { findRelease, type ReleaseName } from '../../model/release-name.ts';
import type { Session } from '../session.ts';
import { when } from '../terminal.ts';
import { act } from '../verb.ts';

/** Adds `lifeboat points hold ID` and `lifeboat points unhold ID`; `findOwner` tells the release of a point. */
export function addHoldCommands(command: Command, findOwner: (session: Session, id: string) => Promise<string>): void {
  command
    .command('hold')
    .description('keep a point whatever `retention` says; brings an expired one back while its data is there')
    .argument('<id>')
    .requiredOption('--by <name>')
    .requiredOption('--reason <text>')
    .option('--for <duration>', 'let go of it after so long, 90d; default: until it is ended')
    .action(
      act<{ by: string; reason: string; for?: string }>(async (session, { by, reason, for: text }, [id = ''] = []) => {
        const lasts = text === undefined ? undefined : Duration.safeParse(text);
        if (lasts?.success === false)
          throw failure('InputInvalid', { message: `read --for: a duration such as 90d or 12h, not ${String(text)}` });
        const now = new Date();
        const until = lasts === undefined ? null : new Date(now.getTime() + durationMs(lasts.data)).toISOString();
        const [{ holdPoint }, release] = await Promise.all([
          import('../../transfer/holds.ts'),
          ownerOf(session, await findOwner(session, id)),
        ]);
        const hold = { point: id, release, by, run: null, reason, until };
        const key = await holdPoint({ store: await session.store(), kit: await session.kit(), hold, now });
        if (session.terminal.json) session.terminal.printJson({ point: id, by, reason, until, key });
        else session.terminal.print(`held ${id}${until === null ? '' : ` until ${when(until)}`}`);
        return 0;
      }),
    );

  command
    .command('unhold')
    .description('end what persons hold a point by; it expires as `retention` says')
    .argument('<id>')
    .action(
      act(async (session, _options, [id = ''] = []) => {
        const [{ readHolds }, store, kit, release] = await Promise.all([
          import('../../transfer/holds.ts'),
          session.store(),
          session.kit(),
          ownerOf(session, await findOwner(session, id)),
        ]);
        const found = await readHolds({ store, trustedKeys: [kit.signing.publicKey], release, now: new Date() });
        const own = (found.get(id) ?? []).filter(({ run }) => run === null);
        for (const { key } of own) await store.delete(key);
        const { terminal } = session;
        if (terminal.json) terminal.printJson({ point: id, ended: own.map(({ by, reason }) => ({ by, reason })) });
        else if (own.length === 0) terminal.print(`nobody holds ${id}`);
        else terminal.print(`let go of ${id}, held by ${own.map(({ by }) => by).join(', ')}`);
        return 0;
      }),
    );
}

/** A release by its title. @throws ReleaseUnknown */
async function ownerOf(session: Session, title: string): Promise<ReleaseName> {
  const { platform } = await session.platform();
  const found = findRelease(title, platformReleases(platform));
  if (typeof found === 'string') throw failure('ReleaseUnknown', { message: found });
  return found;
}
