import { Command } from 'commander';
import { toolName } from '../activities/tool-name.ts';
import { verbs } from './verbs/index.ts';

const helpHint = '(lifeboat help VERB shows what it takes)';

/** The `lifeboat` command with its verbs; bad usage throws CommanderError instead of exiting. */
export function createProgram(): Command {
  const program = new Command('lifeboat')
    .description('Backs up and recovers a platform of Helm releases on Kubernetes, and proves it.')
    .version(toolName)
    .option('--config <path>', 'lifeboat.yaml (LIFEBOAT_CONFIG); default: ./lifeboat.yaml')
    .option('--key <path>', 'the recovery kit (LIFEBOAT_KEY); default: ./recovery-kit.json')
    .option('--json', 'one JSON document on stdout, progress on stderr')
    .option('--no-wait', 'start a run and do not follow it')
    .option('--debug', 'stack traces');
  for (const add of verbs) add(program);
  throwInsteadOfExit(program);
  return program;
}

function throwInsteadOfExit(command: Command): void {
  command.exitOverride().showHelpAfterError(helpHint);
  for (const each of command.commands) throwInsteadOfExit(each);
}
