import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where Lifeboat keeps what can be made again: `~/.cache/lifeboat`, or below XDG_CACHE_HOME. */
export function cacheDirectory(): string {
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
  return join(cache === undefined || cache === '' ? join(home ?? homedir(), '.cache') : cache, 'lifeboat');
}
