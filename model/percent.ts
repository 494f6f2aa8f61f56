import { z } from 'zod';

/** A share in percent, above 0 and at most 100: `5%`, `0.5%`. */
export const Percent = z
  .string()
  .regex(/^[0-9]{1,3}(\.[0-9]+)?%$/, 'a percentage, such as 5% or 0.5%')
  .refine((text) => shareOf(text) > 0 && shareOf(text) <= 1, 'above 0% and at most 100%');

/** The share as a number from 0 to 1. */
export function shareOf(percent: string): number {
  return Number(percent.slice(0, -1)) / 100;
}
