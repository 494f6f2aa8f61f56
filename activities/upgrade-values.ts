import { z } from 'zod';

/** Values of a chart, as Helm has them. */
export type Values = Record<string, unknown>;

const Values = z.record(z.string(), z.unknown()).nullable();

/** The values that Helm recorded; a release without any has `null`. */
export function parseValues(text: string): Values {
  return Values.parse(JSON.parse(text)) ?? {};
}

/** Values over others as Helm lays them: maps are merged, anything else is replaced. */
export function mergeValues(below: Values, over: Values): Values {
  const merged: Values = { ...below };
  for (const [key, value] of Object.entries(over)) {
    const under = merged[key];
    merged[key] = isMap(under) && isMap(value) ? mergeValues(under, value) : value;
  }
  return merged;
}

function isMap(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
