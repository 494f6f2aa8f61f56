import type { Facts } from '../../model/facts.ts';
import { failure } from '../../model/failures.ts';

/**
 * Facts from lines `path<TAB or space>value`; a line without either has an empty value, blank lines are left out.
 * Whole numbers become numbers. @throws PlanInvalid when two lines have one path and different values
 */
export function lineFacts(text: string): Facts {
  const facts: Facts = {};
  for (const line of text.split('\n').map((each) => each.replace(/\r$/, ''))) {
    if (line.trim() === '') continue;
    const end = line.search(/[\t ]/);
    const path = end === -1 ? line : line.slice(0, end);
    const value = factValue(end === -1 ? '' : line.slice(end + 1));
    if (Object.hasOwn(facts, path) && facts[path] !== value)
      throw failure('PlanInvalid', { message: `read facts: two lines of the command begin with ${path}` });
    facts[path] = value;
  }
  return facts;
}

function factValue(text: string): string | number {
  const value = text.trim();
  const number = Number(value);
  return /^-?[0-9]+$/.test(value) && Number.isSafeInteger(number) ? number : value;
}
