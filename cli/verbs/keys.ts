import { writeFile } from 'node:fs/promises';
import { failure } from '../../model/failures.ts';
import { platformReleases, StoreConfig } from '../../model/platform.ts';
import { createRecoveryKit, formatRecoveryKit, keyFingerprint } from '../../transfer/keys.ts';
import { readChain } from '../../transfer/points.ts';
import { readBytes } from '../../transfer/read-artifact.ts';
import { kitPath } from '../../workers/load-config.ts';
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
          await writeNew(path, formatRecoveryKit(kit));
          const escrowPath = `${path.replace(/\.json$/, '')}.escrow.txt`;
          if (escrowIdentity !== undefined) await writeNew(escrowPath, `${escrowIdentity}\n`);
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
        const [kit, store, { platform }] = [await session.kit(), await session.store(), await session.platform()];
        const answers: { release: string; point: string | null; opens: boolean; problem?: string }[] = [];
        for (const release of platformReleases(platform)) {
          const title = `${release.namespace}/${release.name}`;
          const newest = (await readChain({ store, trustedKeys: [kit.signing.publicKey], release }))[0];
          if (newest === undefined)
            answers.push({ release: title, point: null, opens: false, problem: 'has no point yet' });
          else if (newest.document === undefined)
            answers.push({
              release: title,
              point: null,
              opens: false,
              problem: newest.failure.message,
            });
          else {
            const problem = await readBytes({ store, artifact: newest.document.plan, identity: kit.identity }).then(
              () => undefined,
              (error: unknown) => (error instanceof Error ? error.message : String(error)),
            );
            answers.push({
              release: title,
              point: newest.document.id,
              opens: problem === undefined,
              ...(problem === undefined ? {} : { problem }),
            });
          }
        }
        if (session.terminal.json) session.terminal.printJson(answers);
        else
          for (const each of answers)
            session.terminal.print(
              each.opens ? `✓ opens ${each.release} ${each.point ?? ''}` : `✗ ${each.release} ${each.problem ?? ''}`,
            );
        return answers.every((each) => each.opens || each.point === null) && answers.some((each) => each.opens) ? 0 : 1;
      }),
    );
};

/** Never overwrites a kit: losing one loses every point. */
async function writeNew(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw failure('InputInvalid', {
      message: `write ${path}: ${exists ? 'it is there already; points made with it need it, so move it away first' : error instanceof Error ? error.message : String(error)}`,
    });
  });
}
