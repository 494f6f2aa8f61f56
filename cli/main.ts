import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { cacheDirectory } from '../workers/tools/cache-directory.ts';

// Before anything else is loaded: compiling what a command needs takes longer than the command.
enableCompileCache(join(cacheDirectory(), 'compiled'));
const { createProgram } = await import('./program.ts');

try {
  await createProgram().parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
