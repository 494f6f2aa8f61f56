import { engineFor, type StreamEngine } from '../threads/stream-threads.ts';
import { type Packer, type PackerOutput, type PackingRules, type PlainSums, StreamPacker } from './stream-packer.ts';
import { ThreadPacker } from './thread-packer.ts';

/** Opens the packer of a stream. */
export function openPacker(rules: PackingRules, output: PackerOutput, engine?: StreamEngine): Packer {
  const threaded = (): Packer => new ThreadPacker(rules, output);
  if (engine === 'threads') return threaded();
  const inline = (): Packer => new StreamPacker(rules, output);
  return engine === 'inline' || engineFor(Infinity) === 'inline' ? inline() : new LengthPacker(inline, threaded);
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
    if (engineFor(this.#keptBytes) === 'threads') await this.#handOver(this.#long());
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
