import { formatDuration } from '../model/duration.ts';
import { failure } from '../model/failures.ts';
import type { Store } from './store.ts';

/** Every rule of retention goes by the clock: one that is further off than this from the store's decides nothing. */
const mostSkewMs = 5 * 60 * 1000;

/**
 * Compares the clock of this process with that of the store, which dated an object that was just written.
 * @throws ClockSkew, ObjectNotFound where the object is not there; Store*
 */
export async function requireClock(of: { store: Store; key: string; now: Date }): Promise<void> {
  const written = await of.store.head(of.key);
  if (written === undefined) throw failure('ObjectNotFound', { message: `read ${of.key}: it was just written` });
  const skewMs = Math.abs(of.now.getTime() - Date.parse(written.modifiedAt));
  if (skewMs > mostSkewMs)
    throw failure('ClockSkew', {
      message: `read the clock: that of the worker and that of ${of.store.address} differ by ${formatDuration(skewMs)}`,
    });
}
