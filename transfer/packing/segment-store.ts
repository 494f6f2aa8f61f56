import type { Segment } from '../../model/recovery-point.ts';
import { type AgeFile, newAgeFile } from '../age-stream.ts';
import { removeObjects } from '../remove-objects.ts';
import type { ObjectWriter, Store } from '../store.ts';
import type { PackerOutput, SegmentSums } from './stream-packer.ts';

/** Where the segments of a stream go. */
export type SegmentPlace = {
  readonly store: Store;
  readonly folder: string;
  readonly recipients: readonly string[];
  readonly frameBytes: number;
};

type Opened = { readonly key: string; readonly writer: ObjectWriter; committed: boolean };

/**
 * Stores packed segments as objects. A segment is published when the next one begins, the last one by `finish`: not before
 * the end of the stream is proven.
 */
export class SegmentStore implements PackerOutput {
  readonly #place: SegmentPlace;
  readonly #opened: Opened[] = [];
  readonly #segments: Segment[] = [];
  #ended: SegmentSums | undefined;
  #cleared: Promise<unknown> | undefined;
  #aborted = false;

  constructor(place: SegmentPlace) {
    this.#place = place;
  }

  /**
   * Begins to take away what an attempt that was killed has left in the folder. The first write waits for it and throws
   * what it threw; until then the source is read and packed already.
   */
  clear(): void {
    const { store, folder } = this.#place;
    this.#cleared = removeObjects({ store, prefix: `${folder}/` });
    // There may be no write that could hear of it.
    this.#cleared.catch(() => undefined);
  }

  /** @throws RecipientInvalid */
  async nextAgeFile(): Promise<AgeFile> {
    return await newAgeFile(this.#place.recipients);
  }

  async write(bytes: Buffer): Promise<void> {
    if (this.#aborted) throw new Error('the segments were taken back');
    if (this.#ended !== undefined || this.#opened.length === 0) await this.#openNext();
    await this.#opened.at(-1)?.writer.write(bytes);
  }

  endSegment(sums: SegmentSums): Promise<void> {
    this.#ended = sums;
    return Promise.resolve();
  }

  /** Publishes the last segment. @throws Store* */
  async finish(): Promise<Segment[]> {
    await this.#commitEnded();
    return this.#segments;
  }

  /** Takes back every segment, the published ones too; never throws. Idempotent: a second time takes what came in between. */
  async abort(): Promise<void> {
    this.#aborted = true;
    // What it does late could hit what a next attempt has written.
    await this.#cleared?.catch(() => undefined);
    for (const { key, writer, committed } of this.#opened) {
      await writer.abort().catch(() => undefined);
      // a commit whose answer was lost may have published it
      if (committed) await this.#place.store.delete(key).catch(() => undefined);
    }
  }

  async #openNext(): Promise<void> {
    await Promise.all([this.#cleared, this.#commitEnded()]);
    if (this.#aborted) throw new Error('the segments were taken back');
    const { store, folder } = this.#place;
    const key = `${folder}/${String(this.#opened.length + 1).padStart(4, '0')}.zst.age`;
    this.#opened.push({ key, writer: store.openWriter(key), committed: false });
  }

  async #commitEnded(): Promise<void> {
    const [sums, opened] = [this.#ended, this.#opened.at(-1)];
    if (sums === undefined || opened === undefined) return;
    const { store, frameBytes } = this.#place;
    opened.committed = true;
    const { sizeBytes } = await opened.writer.commit();
    const { storedBytes, storedSha256, plainBytes, frames } = sums;
    if (sizeBytes !== storedBytes)
      throw new Error(
        `store ${store.address} says ${String(sizeBytes)} bytes of ${opened.key}, ${String(storedBytes)} were sent`,
      );
    this.#segments.push({ key: opened.key, storedBytes, storedSha256, plainBytes, frameBytes, frames: [...frames] });
    this.#ended = undefined;
  }
}
