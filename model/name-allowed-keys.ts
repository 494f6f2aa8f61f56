import { z } from 'zod';

/** Given to a parse as its `error`: an unknown key is refused with the keys that are allowed. */
export const nameAllowedKeys: z.core.$ZodErrorMap = (issue) => {
  if (issue.code !== 'unrecognized_keys' || !(issue.inst instanceof z.core.$ZodObject)) return undefined;
  const unknown = issue.keys.map((key) => `"${key}"`).join(', ');
  return `unknown key ${unknown}; allowed are ${Object.keys(issue.inst._zod.def.shape).join(', ')}`;
};
