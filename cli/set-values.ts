import { z } from 'zod';
import { failure } from '../model/failures.ts';

/** Values of a chart. */
export const Values = z.record(z.string(), z.unknown());
export type Values = z.infer<typeof Values>;

/** Sets `path=value` in values; maps on the way are made. @throws InputInvalid */
export function setValue(values: Values, given: string, read: (text: string) => unknown): void {
  const [path = '', ...rest] = given.split('=');
  const keys = path.split('.');
  const last = keys.pop();
  if (rest.length === 0 || last === undefined || [...keys, last].includes(''))
    throw failure('InputInvalid', { message: `upgrade: --set is path=value, such as image.tag=v2, not ${given}` });
  let into = values;
  for (const key of keys) {
    const inner = Values.safeParse(into[key]);
    const map = inner.success ? inner.data : {};
    into[key] = map;
    into = map;
  }
  into[last] = read(rest.join('='));
}

/** What Helm's own `--set` makes of a text: true, false, null and whole numbers are none. */
export function typedValue(text: string): unknown {
  if (text === 'null') return null;
  if (text === 'true' || text === 'false') return text === 'true';
  return /^(0|-?[1-9][0-9]{0,14})$/.test(text) ? Number(text) : text;
}
