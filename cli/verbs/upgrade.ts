import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { Duration } from '../../model/duration.ts';
import { failure } from '../../model/failures.ts';
import { UpgradeStrategy } from '../../model/recovery-plan.ts';
import { basicTime } from '../../model/run-names.ts';
import { type ApprovalOptions, approveRun, checkApproval } from '../approve-run.ts';
import { conductRun } from '../follow-run.ts';
import type { GlobalOptions } from '../session.ts';
import { setValue, typedValue, Values } from '../set-values.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases } from './backup.ts';

type Options = GlobalOptions &
  ApprovalOptions & {
    strategy?: string;
    maxWriteGap?: string;
    soak?: string;
    promote?: string;
    chart?: string;
    version?: string;
    set?: string[];
    setString?: string[];
    values?: string;
    dryRun?: boolean;
  };

const strategies: readonly string[] = UpgradeStrategy.options;
const promotions: readonly string[] = ['auto', 'ask'];

const gather = (each: string, before: readonly string[] = []): string[] => [...before, each];

/** `lifeboat upgrade RELEASE` */
export const upgrade: Verb = (program) => {
  program
    .command('upgrade')
    .description('upgrade a release to another chart or other values; a failed one goes back by itself')
    .argument('<release>', 'namespace/name, or a name that is unique')
    .option('--strategy <rolling|dump-restore|blue-green>', "how; default: what the release's plan says")
    .option('--chart <reference>', 'a directory, an archive, oci://… or repo/chart; default: that of lifeboat.yaml')
    .option('--version <version>', 'of a chart that is pulled; default: the installed one')
    .option('--set <path=value>', 'a value over those of the release; may be given again', gather)
    .option('--set-string <path=value>', 'the same, always a text', gather)
    .option('--values <file>', 'a YAML file of such values')
    .option('--max-write-gap <duration>', 'of blue-green: how long clients may be kept from writing, 90s')
    .option('--soak <duration>', 'of blue-green: how long the new version serves before it is promoted, 10m')
    .option('--promote <auto|ask>', 'of blue-green: after the soak, or when somebody decides', 'auto')
    .option('--dry-run', 'show the plan, its digest and what the API server says against it')
    .option('--yes', 'approve the plan that is shown (with --by and --reason)')
    .option('--by <name>', 'who approves')
    .option('--reason <text>', 'why')
    .action(
      act<Options>(async (session, options, names = []) => {
        checkApproval('upgrade', options);
        if (options.strategy !== undefined && !strategies.includes(options.strategy))
          throw failure('InputInvalid', { message: `upgrade: --strategy is one of ${strategies.join(', ')}` });
        if (!promotions.includes(options.promote ?? 'auto'))
          throw failure('InputInvalid', { message: 'upgrade: --promote is auto or ask' });
        for (const [flag, text] of [
          ['--max-write-gap', options.maxWriteGap],
          ['--soak', options.soak],
        ] as const)
          if (text !== undefined && !Duration.safeParse(text).success)
            throw failure('InputInvalid', { message: `upgrade: ${flag} is a duration: 90s, 15m, 24h; not ${text}` });
        const values = await readValues(options);
        const [release = ''] = await namedReleases(session, names);
        return await conductRun(session, {
          type: 'upgradeRelease',
          workflowId: `upgrade-${release.replace('/', '-')}-${basicTime(new Date())}`,
          input: {
            release,
            values,
            dryRun: options.dryRun === true,
            ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
            promote: options.promote ?? 'auto',
            ...(options.maxWriteGap === undefined ? {} : { maxWriteGap: options.maxWriteGap }),
            ...(options.soak === undefined ? {} : { soak: options.soak }),
            ...(options.chart === undefined ? {} : { chart: options.chart }),
            ...(options.version === undefined ? {} : { version: options.version }),
          },
          summary: `Upgrade ${release}`,
          afterStart: (client, started) => approveRun(session, client, started, options),
        });
      }),
    );
};

/** The values of the file, and those of `--set` and `--set-string` over them. @throws InputInvalid */
async function readValues(options: Options): Promise<Values> {
  const values = options.values === undefined ? {} : await readValuesFile(options.values);
  for (const each of options.set ?? []) setValue(values, each, typedValue);
  for (const each of options.setString ?? []) setValue(values, each, (text) => text);
  return values;
}

async function readValuesFile(file: string): Promise<Values> {
  try {
    return Values.parse(parse(await readFile(file, 'utf8')) ?? {});
  } catch (error) {
    throw failure('InputInvalid', {
      message: `upgrade: read --values ${file}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : ''}`,
    });
  }
}
