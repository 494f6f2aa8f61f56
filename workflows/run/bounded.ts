/**
 * Runs `work` for every item, at most `limit` at once, in order of the items. Once one rejects, no further item is
 * started; rejects with the first error when all that were started have ended, so that nothing outlives the caller.
 */
export async function forEachBounded<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const errors: unknown[] = [];
  const next = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined && errors.length === 0; item = queue.shift()) {
      try {
        await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, next));
  if (errors.length > 0) throw errors[0];
}
