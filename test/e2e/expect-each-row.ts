import { expect } from 'vitest';
import type { SandboxRelease } from '../../sandbox/platform/release.ts';
import { checkWriter } from '../../sandbox/platform/writer.ts';
import type { Ground } from './ground.ts';

/** Expects every row that a release's writer saw acknowledged, each once, and the sum of the ledger. */
export async function expectEachRow(
  ground: Ground,
  release: SandboxRelease,
  acknowledged: readonly number[],
): Promise<void> {
  const { rows, sum, maxId } = await checkWriter(ground.sandbox, release);
  expect({ sum, lost: maxId - rows }).toEqual({ sum: 100_000, lost: 0 });
  expect(Math.max(...acknowledged)).toBeLessThanOrEqual(maxId);
  expect(new Set(acknowledged).size).toBe(acknowledged.length);
}
