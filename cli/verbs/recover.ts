import { createInterface } from 'node:readline/promises';
import type { Client } from '@temporalio/client';
import { failure } from '../../model/failures.ts';
import type { RunProgress } from '../../model/progress.ts';
import { basicTime, messageNames } from '../../model/run-names.ts';
import { kitPath } from '../../workers/load-config.ts';
import { conductRun, type FollowedRun } from '../follow-run.ts';
import type { GlobalOptions, Session } from '../session.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases } from './backup.ts';

type Options = GlobalOptions & {
  platform?: string | boolean;
  point?: string;
  to?: string;
  into?: string;
  data?: boolean;
  dryRun?: boolean;
  yes?: boolean;
  by?: string;
  reason?: string;
  onFailure?: string;
  incidentAt?: string;
  local?: boolean;
  store?: string;
  endpoint?: string;
  kubeconfig?: string;
  context?: string;
  directory?: string;
};

/** `lifeboat recover RELEASE… | --platform` */
export const recover: Verb = (program) => {
  program
    .command('recover')
    .description('recover releases, or the whole platform, from recovery points')
    .argument('[release...]', 'namespace/name, or a name that is unique')
    .option('--platform', 'every release, in seven phases')
    .option('--point <id>', 'a recovery point; default: the newest that passed verification')
    .option('--to <instant>', 'the newest point captured at or before this instant')
    .option('--into <namespace>', 'recover into another namespace')
    .option('--data', 'only the data, into the release that runs')
    .option('--dry-run', 'show the plan and its digest')
    .option('--yes', 'approve the plan that is shown (with --by and --reason)')
    .option('--by <name>', 'who approves')
    .option('--reason <text>', 'why')
    .option('--on-failure <ask|skip|abort>', 'what a failed step does; default: ask on a terminal, else abort')
    .option('--incident-at <instant>', 'when the disaster happened; default: now')
    .option('--local', 'boot Temporal and a worker here; needs only --store and --key')
    .option('--store <url>', 'with --local: the bucket, s3://bucket/prefix or file:///directory; default: of the kit')
    .option('--endpoint <url>', 'with --local: of an S3-compatible server')
    .option('--kubeconfig <path>', 'with --local: the cluster to recover into')
    .option('--context <name>', 'with --local: its context')
    .option('--directory <path>', 'with --local: where Temporal keeps its history; default: a temporary folder')
    .action(
      act<Options>(async (session, options, names = []) => {
        check(options, names);
        if (options.local !== true) return await run(session, options, names);
        const { openLocalSession } = await import('../local-run.ts');
        const { platform: _, ...local } = options;
        const opened = await openLocalSession(session, kitPath(options.key), local);
        try {
          return await run(opened.session, options, names);
        } finally {
          await opened.stop();
        }
      }),
    );
};

function check(options: Options, names: readonly string[]): void {
  const wrong = (message: string): never => {
    throw failure('InputInvalid', { message: `recover: ${message}` });
  };
  if ((options.platform === undefined) === (names.length === 0)) wrong('name releases, or --platform for all of them');
  if (names.length !== 1 && options.data === true)
    wrong('--data is for one release; recover each of them by a command of its own');
  if (names.length !== 1 && options.to !== undefined)
    wrong('--to is for one release; of a platform name a platform point: --point ID, lifeboat points lists them');
  if (options.yes === true && options.wait === false)
    wrong(
      '--no-wait cannot be combined with --yes: nobody would be there to approve; lifeboat approve RUN does it later',
    );
  if (options.yes === true && (options.by === undefined || options.reason === undefined))
    wrong('--yes needs --by and --reason');
  if (options.onFailure !== undefined && !['ask', 'skip', 'abort'].includes(options.onFailure))
    wrong('--on-failure is ask, skip or abort');
  if (options.local === true && options.wait === false)
    wrong('--no-wait cannot be combined with --local: the worker lives in this process');
}

async function run(session: Session, options: Options, names: readonly string[]): Promise<number> {
  const { platform } = await session.platform();
  const releases = await namedReleases(session, names);
  const at = basicTime(new Date());
  const shared = {
    dryRun: options.dryRun === true,
    onFailure: options.onFailure ?? (process.stdin.isTTY ? 'ask' : 'abort'),
    ...(options.point === undefined ? {} : { point: options.point }),
    ...(options.into === undefined ? {} : { into: options.into }),
    ...(options.incidentAt === undefined ? {} : { incidentAt: options.incidentAt }),
  };
  const afterStart = (client: Client, started: FollowedRun): Promise<void> =>
    approve(session, client, started, options);
  const [only] = releases;
  if (releases.length === 1 && only !== undefined) {
    return await conductRun(session, {
      type: 'recoverRelease',
      workflowId: `recover-${only.replace('/', '-')}-${at}`,
      input: {
        release: only,
        scope: options.data === true ? 'data' : 'all',
        ...shared,
        ...(options.to === undefined ? {} : { to: options.to }),
      },
      summary: `Recover ${only}`,
      afterStart,
    });
  }
  return await conductRun(session, {
    type: 'recoverPlatform',
    workflowId: `recover-${platform.platform}-${at}`,
    input: { ...shared, ...(releases.length === 0 ? {} : { releases }) },
    summary: `Recover platform ${platform.platform}`,
    afterStart,
  });
}

/** Shows what waits for an approval and sends it: with `--yes`, or after a question on a terminal. */
async function approve(session: Session, client: Client, started: FollowedRun, options: Options): Promise<void> {
  if (options.yes !== true && !process.stdin.isTTY) return;
  const handle = client.workflow.getHandle(started.workflowId, started.runId);
  for (;;) {
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') return;
    const progress = await handle.query<RunProgress>(messageNames.progress).catch(() => undefined);
    if (progress?.approval !== null && progress !== undefined) {
      const { approval } = progress;
      session.terminal.note(
        [
          ...approval.lines.map((line) => `  ${line}`),
          'It overwrites:',
          ...approval.overwrites.map((line) => `  ! ${line}`),
          `plan ${approval.planDigest}`,
        ].join('\n'),
      );
      const given = options.yes === true ? { by: options.by ?? '', reason: options.reason ?? '' } : await ask();
      if (given === undefined) {
        await handle.cancel();
        return;
      }
      await handle.executeUpdate(messageNames.approve, { args: [{ ...given, planDigest: approval.planDigest }] });
      return;
    }
    if (
      progress?.phase.startsWith('installing') === true ||
      progress?.lines.some((line) => /tier|install/.test(line.title) && line.state !== 'waiting') === true
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

async function ask(): Promise<{ by: string; reason: string } | undefined> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if ((await prompt.question('Overwrite it? Type yes: ')).trim() !== 'yes') return undefined;
    return {
      by: (await prompt.question('Your name: ')).trim() || 'operator',
      reason: (await prompt.question('Reason: ')).trim() || 'none given',
    };
  } finally {
    prompt.close();
  }
}
