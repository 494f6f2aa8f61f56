import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheDirectory } from '../workers/tools/cache-directory.ts';

// As the command does, before anything else is loaded.
enableCompileCache(join(cacheDirectory(), 'compiled'));
await import('./data-path.ts');
