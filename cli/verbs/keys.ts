import { rm, writeFile } from 'node:fs/promises';
import { failure, failures, LifeboatFailure } from '../../model/failures.ts';
import { exitCodes } from '../../model/outcome.ts';
import { platformReleases, StoreConfig } from '../../model/platform.ts';
import { type ReleaseName, releaseTitle } from '../../model/release-name.ts';
import { createRecoveryKit, formatRecoveryKit, keyFingerprint } from '../../transfer/keys.ts';
import { findPoint } from '../../transfer/points.ts';
import { readBytes } from '../../transfer/read-artifact.ts';
import { kitPath } from '../../workers/load-config.ts';
import { ofEachRelease } from '../of-each-release.ts';
import type { Session } from '../session.ts';
import { act, type Verb } from '../verb.ts';

/** `lifeboat keys create|check` */
export const keys: Verb = (program) => {
  const command = program.command('keys').description('make and check the recovery kit');
  command
    .command('create')
    .description('write a new recovery kit; keep it outside the platform')
    .requiredOption('--platform <name>', 'the platform it is for')
    .requiredOption('--store <url>', 's3://bucket/prefix or file:///directory')
    .option('--endpoint <url>', 'of an S3-compatible server')
    .option('--region <name>', 'of the bucket', 'us-east-1')
    .option(
      '--escrow <recipient>',
      'an age recipient of your escrow; default: makes one and writes its identity beside the kit',
    )
    .action(
      act<{ platform: string; store: string; endpoint?: string; region: string; escrow?: string }>(
        async (session, options) => {
          const path = kitPath(session.options.key);
          const store = StoreConfig.safeParse({
            url: options.store,
            region: options.region,
            ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
          });
          if (!store.success)
            throw failure('InputInvalid', { message: `read --store: ${store.error.issues[0]?.message ?? ''}` });
          const { kit, escrowIdentity } = await createRecoveryKit({
            platform: options.platform,
            store: store.data,
            escrowRecipient: options.escrow,
          });
          const escrowPath = `${path.replace(/\.json$/, '')}.escrow.txt`;
          // First the escrow: a kit whose escrow is nowhere would look whole.
          if (escrowIdentity !== undefined) await writeNew(escrowPath, `${escrowIdentity}\n`);
          await writeNew(path, formatRecoveryKit(kit)).catch(async (error: unknown) => {
            if (escrowIdentity !== undefined) await rm(escrowPath);
            throw error;
          });
          const made = {
            kit: path,
            escrow: escrowIdentity === undefined ? null : escrowPath,
            recipients: kit.recipients,
            signingKey: keyFingerprint(kit.signing.publicKey),
          };
          if (session.terminal.json) session.terminal.printJson(made);
          else {
            session.terminal.print(`recovery kit ${path}   signs as ${made.signingKey}`);
            if (made.escrow !== null)
              session.terminal.print(`escrow identity ${made.escrow}: move it to another safe than the kit`);
            session.terminal.print(
              ['', 'for lifeboat.yaml:', 'recipients:', ...kit.recipients.map((recipient) => `  - ${recipient}`)].join(
                '\n',
              ),
            );
          }
          return 0;
        },
      ),
    );
  command
    .command('check')
    .description('prove that the kit opens the newest point of every release')
    .action(
      act(async (session) => {
        const { platform } = await session.platform();
        const answers = await ofEachRelease(
          platformReleases(platform),
          async (release) => await opensNewest(session, release),
        );
        if (session.terminal.json) session.terminal.printJson(answers);
        else
          for (const each of answers)
            session.terminal.print(
              each.opens ? `✓ opens ${each.release} ${each.point ?? ''}` : `✗ ${each.release} ${each.problem ?? ''}`,
            );
        // A release without a point is new; a point that does not open is not.
        return answers.every(({ opens, problem }) => opens || problem === noPoint) && answers.some(({ opens }) => opens)
          ? exitCodes.complete
          : exitCodes.failed;
      }),
    );
};

const noPoint = 'has no point yet';

type Answer = {
  readonly release: string;
  readonly point: string | null;
  readonly opens: boolean;
  readonly problem?: string;
};

/** Whether the kit opens the newest point of a release. @throws Store* */
async function opensNewest(session: Session, release: ReleaseName): Promise<Answer> {
  const [kit, store] = [await session.kit(), await session.store()];
  const of = { store, trustedKeys: [kit.signing.publicKey], release };
  const answer = { release: releaseTitle(release), point: null, opens: false };
  const chosen = await findPoint({ ...of, point: 'latest' }).catch(problemOf);
  if (chosen instanceof LifeboatFailure)
    return { ...answer, problem: chosen.code === 'PointUnknown' ? noPoint : chosen.message };
  const point = chosen.manifest.id;
  const bytes = await readBytes({ store, artifact: chosen.manifest.plan, identity: kit.identity }).catch(problemOf);
  return bytes instanceof LifeboatFailure
    ? { ...answer, point, problem: bytes.message }
    : { ...answer, point, opens: true };
}

/** What passes says nothing about the point: it ends the command. */
function problemOf(error: unknown): LifeboatFailure {
  if (!(error instanceof LifeboatFailure) || failures[error.code].class === 'transient') throw error;
  return error;
}

/** Never overwrites a kit: losing one loses every point. */
async function writeNew(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw failure('InputInvalid', {
      message: `write ${path}: ${exists ? 'it is there already; points made with it need it, so move it away first' : error instanceof Error ? error.message : String(error)}`,
    });
  });
}
