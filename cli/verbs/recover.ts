import type { Client } from '@temporalio/client';
import { failure } from '../../model/failures.ts';
import { basicTime } from '../../model/run-names.ts';
import { kitPath } from '../../workers/load-config.ts';
import { type ApprovalOptions, approveRun, checkApproval } from '../approve-run.ts';
import { conductRun, type FollowedRun } from '../follow-run.ts';
import type { GlobalOptions, Session } from '../session.ts';
import { act, type Verb } from '../verb.ts';
import { namedReleases } from './backup.ts';

type Options = GlobalOptions &
  ApprovalOptions & {
    platform?: string | boolean;
    point?: string;
    to?: string;
    into?: string;
    data?: boolean;
    dryRun?: boolean;
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
  checkApproval('recover', options);
  if (options.onFailure !== undefined && !['ask', 'skip', 'abort'].includes(options.onFailure))
    wrong('--on-failure is ask, skip or abort');
  const ofLocal = (['store', 'endpoint', 'kubeconfig', 'context', 'directory'] as const).filter(
    (name) => options[name] !== undefined,
  );
  if (options.local !== true && ofLocal.length > 0)
    wrong(`${ofLocal.map((name) => `--${name}`).join(', ')} is for --local; else lifeboat.yaml says it`);
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
    approveRun(session, client, started, options);
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
