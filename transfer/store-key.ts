import { failure } from '../model/failures.ts';

const segmentLimitBytes = 240;
const keyLimitBytes = 900;
const control = /[\u0000-\u001f\u007f]/;

/**
 * Refuses a key that some store could not keep under this very name: empty, `.`, `..` or hidden segments, control
 * characters, and names too long for a file. Whatever passes is used as it is: RESTORE.md names objects by their keys.
 * @throws InputInvalid
 */
export function assertKey(key: string): void {
  const wrong = key
    .split('/')
    .some((segment) => segment === '' || segment.startsWith('.') || Buffer.byteLength(segment) > segmentLimitBytes);
  if (wrong || control.test(key) || Buffer.byteLength(key) > keyLimitBytes || !key.isWellFormed()) {
    throw failure('InputInvalid', {
      message: `name object: ${JSON.stringify(key.slice(0, 200))} cannot be the name of an object in a store`,
    });
  }
}

/** The order of keys in every store: by their UTF-8 bytes. */
export function compareKeys(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
