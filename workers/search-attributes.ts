import type { Connection } from '@temporalio/client';
import { searchAttributes } from '../model/run-names.ts';

/** INDEXED_VALUE_TYPE_KEYWORD of Temporal's API. */
const indexedAsKeyword = 2;

/** Registers the search attributes that are not there yet. Idempotent; a run would hang without them. */
export async function registerSearchAttributes({ operatorService }: Connection, namespace: string): Promise<void> {
  const known = (await operatorService.listSearchAttributes({ namespace })).customAttributes;
  const missing = Object.values(searchAttributes).filter((name) => known[name] === undefined);
  if (missing.length === 0) return;
  try {
    await operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, indexedAsKeyword])),
    });
  } catch (error) {
    // Another worker was faster.
    if (!(error instanceof Error && /already exists/i.test(error.message))) throw error;
  }
  for (let tries = 0; tries < 50; tries += 1) {
    const now = (await operatorService.listSearchAttributes({ namespace })).customAttributes;
    if (Object.values(searchAttributes).every((name) => now[name] !== undefined)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
