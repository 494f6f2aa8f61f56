import { describe, expect, it } from 'vitest';
import { failure } from '../../model/failures.ts';
import { SegmentStore } from '../../transfer/packing/segment-store.ts';
import type { Store } from '../../transfer/store.ts';
import { contentsOf, testStore } from './test-sources.ts';

const folder = 'points/p/db.dump';
const left = `${folder}/0001.zst.age`;

/** A store whose list waits until the test lets it go on. */
function slowToList(inner: Store): { store: Store; goOn: (failed?: Error) => void } {
  let goOn: (failed?: Error) => void = () => undefined;
  const gate = new Promise<void>((resolve, reject) => {
    goOn = (failed) => {
      if (failed === undefined) resolve();
      else reject(failed);
    };
  });
  const store: Store = {
    ...inner,
    async *list(prefix) {
      await gate;
      yield* inner.list(prefix);
    },
  };
  return { store, goOn };
}

/** Begins to write where an object was left, which is taken away when `goOn` is called. */
async function writeWhileItIsCleared() {
  const inner = testStore();
  await inner.put(left, Buffer.from('old'));
  const { store, goOn } = slowToList(inner);
  const segments = new SegmentStore({ store, folder, recipients: [], frameBytes: 1_000 });
  segments.clear();
  return { inner, segments, written: segments.write(Buffer.from('new')), goOn };
}

/** Whether it is still pending after all that is due now has been done. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  );
  return await Promise.race([settled, new Promise<boolean>((resolve) => setTimeout(resolve, 50, true))]);
}

describe('segments in a folder that an attempt before has left something in', () => {
  it('are not written before it is gone, and are not taken for it', async () => {
    const { inner, segments, written, goOn } = await writeWhileItIsCleared();
    expect(await isPending(written)).toBe(true);
    goOn();
    await written;
    await segments.endSegment({ plainBytes: 3, storedBytes: 3, storedSha256: '', frames: [3] });
    await segments.finish();

    expect((await inner.get(left)).toString('utf8')).toBe('new');
  });

  it('fail with what the store said when it was cleared', async () => {
    const { segments, written, goOn } = await writeWhileItIsCleared();
    goOn(failure('StoreDenied', { message: 'list: AccessDenied' }));

    await expect(written).rejects.toMatchObject({ code: 'StoreDenied' });
    await segments.abort();
  });

  it('are taken back when it is gone: later it could be what a next attempt writes', async () => {
    const { inner, segments, written, goOn } = await writeWhileItIsCleared();
    const aborted = segments.abort();
    expect(await isPending(aborted)).toBe(true);
    goOn();
    await aborted;

    await expect(written).rejects.toThrow('taken back');
    expect(await contentsOf(inner)).toEqual([]);
  });
});
