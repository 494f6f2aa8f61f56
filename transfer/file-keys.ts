import { failure } from '../model/failures.ts';
import { AgeError, headerLimitBytes, readFileKey } from './age-stream.ts';
import { readRange } from './frame-reader.ts';
import type { ArtifactToRead } from './read-artifact.ts';

/**
 * The file key of each segment of an artifact, 16 bytes each: who has them can read this artifact and nothing else.
 * @throws ObjectNotFound, KeyMissing, ArtifactUnreadable, Store*
 */
export async function readFileKeys({ store, artifact, identity }: ArtifactToRead): Promise<Buffer[]> {
  const keys: Buffer[] = [];
  for (const { key, storedBytes } of artifact.segments) {
    const start = await readRange(store, key, { offset: 0, length: Math.min(headerLimitBytes, storedBytes) });
    try {
      keys.push(await readFileKey(start, identity));
    } catch (error) {
      if (!(error instanceof AgeError)) throw error;
      const code = error.problem === 'no identity fits' ? 'KeyMissing' : 'ArtifactUnreadable';
      throw failure(code, { message: `read key of ${artifact.name} (${key}): ${error.problem}`, subject: key });
    }
  }
  return keys;
}
