import { availableParallelism } from 'node:os';
import { type Packer, type PackerOutput, type PackingRules, type PlainSums, StreamPacker } from './stream-packer.ts';
import { ThreadPacker } from './thread-packer.ts';

/** Where a stream is packed: on this thread, or beside it. */
export type PackingEngine = 'inline' | 'threads';

/** A stream that is shorter than this is packed where it is: to hand it over would cost more. */
const shortBytes = 1024 * 1024;
const mostThreads = 4;

/** Opens the packer of a stream. One processor has nothing to gain by a second thread. */
export function openPacker(rules: PackingRules, output: PackerOutput, engine?: PackingEngine): Packer {
  const processors = availableParallelism();
  const threaded = (): Packer => new ThreadPacker(rules, output, Math.min(mostThreads, Math.max(1, processors - 1)));
  if (engine === 'threads') return threaded();
  const inline = (): Packer => new StreamPacker(rules, output);
  return engine === 'inline' || processors < 2 ? inline() : new LengthPacker(inline, threaded);
}

/** Keeps the beginning of a stream until it is known whether it is a short one. */
class LengthPacker implements Packer {
  readonly #short: () => Packer;
  readonly #long: () => Packer;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #packer: Packer | undefined;

  constructor(short: () => Packer, long: () => Packer) {
    this.#short = short;
    this.#long = long;
  }

  async add(chunk: Uint8Array, disposable: boolean): Promise<void> {
    if (this.#packer !== undefined) {
      await this.#packer.add(chunk, disposable);
      return;
    }
    this.#kept.push(disposable ? chunk : new Uint8Array(chunk));
    this.#keptBytes += chunk.byteLength;
    if (this.#keptBytes > shortBytes) await this.#handOver(this.#long());
  }

  async end(): Promise<PlainSums> {
    const packer = this.#packer ?? (await this.#handOver(this.#short()));
    return await packer.end();
  }

  async abort(): Promise<void> {
    await this.#packer?.abort();
  }

  async #handOver(packer: Packer): Promise<Packer> {
    this.#packer = packer;
    const kept = this.#kept;
    this.#kept = [];
    for (const chunk of kept) await packer.add(chunk, true);
    return packer;
  }
}
