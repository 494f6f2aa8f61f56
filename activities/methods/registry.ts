import * as exported from './index.ts';
import type { Method } from './method.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each method reads its own options by its own schema
type AnyMethod = Method<any>;

const all: readonly AnyMethod[] = Object.values(exported);

/** The backup methods by the name that plans use. */
export const methods: ReadonlyMap<string, AnyMethod> = new Map(all.map((method) => [method.name, method]));
