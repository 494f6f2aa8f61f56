import { isFailureCode, LifeboatFailure } from '../../model/failures.ts';
import type { Retention } from '../../model/retention.ts';
import type { Store } from '../../transfer/store.ts';
import type { draftAt } from '../transfer/test-points.ts';
import { memoryStore } from './memory-store.ts';
import type { ModelPoint } from './retention-oracle.ts';

/** A process that dies: nothing of it runs any more. */
export class Killed extends Error {}

/** A generator of numbers from 0 to 1 that is the same for the same seed. */
export function numbersOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export type World = {
  readonly objects: Map<string, { bytes: Buffer; modifiedAt: string }>;
  readonly random: () => number;
  readonly retention: Retention;
  now: number;
  /** What the model knows itself of each committed point. */
  readonly points: Map<string, ModelPoint>;
  /** Backups that wait between their last object and their commit, as one does that is paused. */
  readonly waiting: { id: string; run: string; draft: ReturnType<typeof draftAt> }[];
  readonly trace: string[];
  runs: number;
};

export function pick<Value>(world: World, values: readonly Value[]): Value {
  return values[Math.floor(world.random() * values.length)] as Value;
}

/** The store as one process sees it: its calls fall between those of others, and it may be killed at one of them. */
export function storeOf(world: World, killedAt = Number.POSITIVE_INFINITY): Store {
  let calls = 0;
  return memoryStore({
    objects: world.objects,
    now: () => new Date(world.now),
    before: async () => {
      for (let turns = Math.floor(world.random() * 4); turns > 0; turns -= 1) await Promise.resolve();
      calls += 1;
      if (calls > killedAt) throw new Killed();
    },
  });
}

export function killedSometimes(world: World): number {
  return world.random() < 0.25 ? Math.floor(world.random() * 25) : Number.POSITIVE_INFINITY;
}

/** Runs a process to its end; being killed, and a refusal, are ends like others. */
export async function run(world: World, name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    world.trace.push(name);
  } catch (error) {
    if (error instanceof Killed) world.trace.push(`${name}, killed`);
    else if (error instanceof LifeboatFailure && isFailureCode(error.code)) world.trace.push(`${name}: ${error.code}`);
    else throw error;
  }
}
