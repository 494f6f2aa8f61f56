import type { ScheduleHandle } from '@temporalio/client';
import type { Command } from 'commander';
import { failure } from '../../model/failures.ts';
import type { PlatformSchedule } from '../../model/schedules.ts';
import type { ScheduleChange } from '../../workers/schedules.ts';
import type { Session } from '../session.ts';
import { table, when } from '../terminal.ts';
import { act, type Verb } from '../verb.ts';

const signs = { create: '+', update: '~', remove: '-', none: '=' } as const;

/** `lifeboat schedules apply|list|pause|resume|trigger|remove` */
export const schedules: Verb = (program) => {
  const command = program.command('schedules').description('work with the schedules of lifeboat.yaml in Temporal');

  command
    .command('apply')
    .description('make the schedules of Temporal those of lifeboat.yaml; shows every difference first')
    .option('--dry-run', 'only show the differences')
    .action(
      act<{ dryRun?: boolean }>(async (session, { dryRun }) => {
        const { platform } = await session.platform();
        const [{ planSchedules, applyChange }, { checkSchedules }, client, { plans }] = await Promise.all([
          import('../../workers/schedules.ts'),
          import('../../activities/schedule-check.ts'),
          session.client(),
          session.backends(),
        ]);
        checkSchedules(platform, plans);
        const changes = await planSchedules(client, platform);
        const { terminal } = session;
        const differing = changes.filter(({ change }) => change !== 'none');
        if (terminal.json) terminal.printJson(changes);
        else {
          for (const change of differing) terminal.print(describeChange(change));
          const same = changes.length - differing.length;
          terminal.print(differing.length === 0 ? `nothing to change, ${String(same)} as they are` : '');
        }
        if (dryRun === true) return 0;
        for (const change of differing) await applyChange(client, platform.platform, change);
        if (!terminal.json && differing.length > 0) terminal.print(`✓ ${String(differing.length)} applied`);
        return 0;
      }),
    );

  command
    .command('list')
    .description('list the schedules, with their next and their last start')
    .action(
      act(async (session) => {
        const { platform } = await session.platform();
        const [{ listSchedules }, client] = await Promise.all([import('../../workers/schedules.ts'), session.client()]);
        const live = await listSchedules(client, platform.platform);
        const lacking = platform.schedules.filter(({ name }) => live.every((each) => each.name !== name));
        if (session.terminal.json) {
          session.terminal.printJson({ schedules: live, notApplied: lacking });
          return 0;
        }
        const rows = live.map(({ name, line, next, last, paused, note, skipped, edited }) => [
          name,
          describeLine(line),
          paused ? '–' : next === null ? '–' : next.slice(0, 16).replace('T', ' '),
          last === null ? '–' : when(last.at),
          [
            paused ? `paused: ${note}` : 'on',
            ...(edited.length === 0 ? [] : ['edited in Temporal: lifeboat schedules apply --dry-run']),
            ...(skipped.overlap > 0 ? [`${String(skipped.overlap)} skipped, the run before went on`] : []),
            ...(skipped.missed > 0 ? [`${String(skipped.missed)} missed`] : []),
          ].join(', '),
        ]);
        session.terminal.print(table(['NAME', 'RUNS', 'NEXT (UTC)', 'LAST', 'STATE'], rows));
        for (const { name } of lacking)
          session.terminal.print(`! ${name} is in lifeboat.yaml and not in Temporal: lifeboat schedules apply`);
        return 0;
      }),
    );

  command
    .command('pause')
    .description('let a schedule start nothing until it is resumed')
    .argument('<name>')
    .requiredOption('--by <name>')
    .requiredOption('--reason <text>')
    .action(
      act<{ by: string; reason: string }>(async (session, { by, reason }, [name = '']) => {
        const handle = await findSchedule(session, name);
        const { pauseNote } = await import('../../workers/schedule-edits.ts');
        const note = pauseNote(by, reason);
        await handle.pause(note);
        say(session, { name, did: 'paused', note });
        return 0;
      }),
    );

  onSchedule(command, 'resume', 'let a paused schedule go on', async (handle, name) => {
    await handle.unpause('resumed');
    return { name, did: 'resumed' };
  });
  const trigger = 'start what a schedule runs now; skipped while its run before goes on';
  onSchedule(command, 'trigger', trigger, async (handle, name) => {
    // Without it the SDK would allow two at once.
    await handle.trigger('SKIP');
    return { name, did: 'triggered', note: 'lifeboat runs' };
  });
  const remove = 'remove a schedule; the next apply makes it again while lifeboat.yaml has it';
  onSchedule(command, 'remove', remove, async (handle, name) => {
    await handle.delete();
    return { name, did: 'removed' };
  });
};

/** What a command did to a schedule. */
type Done = { readonly name: string; readonly did: string; readonly note?: string };

function say({ terminal }: Session, done: Done): void {
  if (terminal.json) terminal.printJson(done);
  else terminal.print(`${done.did} ${done.name}${done.note === undefined ? '' : `: ${done.note}`}`);
}

/** Adds a command that does one thing to the schedule that it is given, and says what. */
function onSchedule(
  command: Command,
  verb: string,
  description: string,
  work: (handle: ScheduleHandle, name: string) => Promise<Done>,
): void {
  command
    .command(verb)
    .description(description)
    .argument('<name>')
    .action(
      act(async (session, _options, [name = ''] = []) => {
        say(session, await work(await findSchedule(session, name), name));
        return 0;
      }),
    );
}

/** The handle of a schedule by its name in lifeboat.yaml. @throws InputInvalid naming those that are there */
async function findSchedule(session: Session, name: string): Promise<ScheduleHandle> {
  const { platform } = await session.platform();
  const { listSchedules, readSchedule, scheduleId } = await import('../../workers/schedules.ts');
  const client = await session.client();
  const id = scheduleId(platform.platform, name);
  if ((await readSchedule(client, platform.platform, id)) !== undefined) return client.schedule.getHandle(id);
  const there = (await listSchedules(client, platform.platform)).map((each) => each.name);
  throw failure('InputInvalid', {
    message: `find schedule ${name}: Temporal has ${there.length === 0 ? 'none' : there.join(', ')} of ${platform.platform}`,
  });
}

/** A change in one line; an update names what becomes of each key. */
export function describeChange({ name, change, wanted, current, edited }: ScheduleChange): string {
  const head = `${signs[change]} ${name}`;
  if (wanted === null || current === null) {
    const line = wanted ?? current;
    return line === null ? head : `${head}   ${describeLine(line)}`;
  }
  const keys = [...new Set([...Object.keys(current), ...Object.keys(wanted)])] as (keyof PlatformSchedule)[];
  const shown = (line: PlatformSchedule, key: keyof PlatformSchedule): string =>
    line[key] === undefined ? 'none' : [line[key]].flat().join(', ');
  const differing = keys.filter((key) => shown(current, key) !== shown(wanted, key));
  return `${head}   ${[
    ...differing.map((key) => `${key} ${shown(current, key)} → ${shown(wanted, key)}`),
    ...edited.map((each) => `edited in Temporal: ${each}`),
  ].join('; ')}`;
}

function describeLine({ run, cron, timezone, tier, releases, longestNotDrilled }: PlatformSchedule): string {
  const what = [
    ...(tier === undefined ? [] : [`tier ${String(tier)}`]),
    ...(releases === undefined ? [] : [releases.join(', ')]),
    ...(longestNotDrilled === undefined ? [] : ['the longest not drilled']),
  ];
  return `${[run, ...what].join(' ')} at ${cron} ${timezone}`;
}
