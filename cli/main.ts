import { Command, CommanderError } from 'commander';
import { toolName } from '../activities/tool-name.ts';
import { verbs } from './verbs/index.ts';

/** The `lifeboat` command with its verbs. */
export function createProgram(): Command {
  const program = new Command('lifeboat')
    .description('Backs up, recovers and upgrades a platform of Helm releases, and proves it.')
    .version(toolName)
    .option('--config <path>', 'lifeboat.yaml (LIFEBOAT_CONFIG)')
    .option('--key <path>', 'the recovery kit (LIFEBOAT_KEY)')
    .option('--json', 'one JSON document on stdout, progress on stderr')
    .option('--no-wait', 'start a run and do not follow it')
    .option('--debug', 'stack traces')
    .showHelpAfterError('(lifeboat help VERB shows what it takes)')
    .exitOverride();
  for (const add of verbs) add(program);
  overrideExits(program);
  return program;
}

/** Each command throws instead of exiting, so that bad usage has the exit code of its own. */
function overrideExits(command: Command): void {
  for (const each of command.commands) {
    each.exitOverride().showHelpAfterError('(lifeboat help VERB shows what it takes)');
    overrideExits(each);
  }
}

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
