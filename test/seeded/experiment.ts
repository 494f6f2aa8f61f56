import { createCipheriv } from 'node:crypto';
import { it } from 'vitest';
import { numbersOf } from '../models/retention-world.ts';

const full = process.env['LIFEBOAT_FULL'] === '1';
const givenSeed = process.env['LIFEBOAT_SEED'];

/** What decides a case: all of it follows from the seed. */
export type Seed = {
  readonly seed: number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** A whole number from `least` to `most`. */
  readonly whole: (least: number, most: number) => number;
  readonly pick: <Value>(values: readonly Value[]) => Value;
  /** Bytes that do not compress. */
  readonly bytes: (size: number) => Buffer;
};

/** An experiment of many cases. */
export type Experiment = {
  /** Its number in docs/explanation/faults.md. */
  readonly number: number;
  /** What must hold. */
  readonly holds: string;
  /** Cases by default, and with LIFEBOAT_FULL=1. */
  readonly small: number;
  readonly full: number;
  /** Cases that run beside each other, where they wait more than they work; default 1. */
  readonly atOnce?: number;
};

/**
 * Runs each case of an experiment from a seed of its own: 1, 2, 3 and so on, or with LIFEBOAT_SEED that one alone. A case that
 * fails names its seed.
 */
export function experiment(of: Experiment, run: (seed: Seed) => Promise<void>): void {
  const cases = givenSeed === undefined ? (full ? of.full : of.small) : 1;
  const first = givenSeed === undefined ? 1 : Number(givenSeed);
  it(`${of.holds} (experiment ${String(of.number)})`, async () => {
    const since = performance.now();
    const seeds = Array.from({ length: cases }, (_, index) => first + index);
    let ran = 0;
    const work = async (): Promise<void> => {
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        try {
          await run(seedOf(seed));
          ran += 1;
        } catch (error) {
          seeds.length = 0;
          const said = error instanceof Error ? error.message : String(error);
          throw new Error(`experiment ${String(of.number)}, LIFEBOAT_SEED=${String(seed)}: ${said}`, { cause: error });
        }
      }
    };
    const ended = await Promise.allSettled(Array.from({ length: Math.min(cases, of.atOnce ?? 1) }, work));
    const seconds = ((performance.now() - since) / 1000).toFixed(1);
    process.stdout.write(
      `experiment ${String(of.number)}: ${String(ran)} cases from seed ${String(first)} in ${seconds} s: ${of.holds}\n`,
    );
    for (const each of ended) if (each.status === 'rejected') throw each.reason;
  }, 7_200_000);
}

/** What follows from a seed. */
export function seedOf(seed: number): Seed {
  const random = numbersOf(seed);
  const whole = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1));
  return {
    seed,
    random,
    whole,
    pick: (values) => values[whole(0, values.length - 1)] as (typeof values)[number],
    bytes: (size) => {
      const key = Buffer.alloc(16);
      key.writeUInt32BE(whole(0, 0xffff_ffff), 0);
      return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
    },
  };
}
