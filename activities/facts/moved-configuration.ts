import { type Moves, moveBack, moveEndpoints } from '../../model/drill.ts';
import type { StoredObject } from './configuration.ts';

/** A captured object as a drill brings it back: its texts name the scratch namespaces. */
export function moveObject(object: StoredObject, moves: Moves): StoredObject {
  return changeData(object, (text) => moveEndpoints(text, moves));
}

/** An object of a scratch namespace as it was captured. */
export function moveBackObject(object: StoredObject, moves: Moves): StoredObject {
  return changeData(object, (text) => String(moveBack(text, moves)));
}

/** The texts of an object: plain in a ConfigMap, behind base64 in a Secret. What is not text is left out. */
export function textsOf(object: StoredObject): string[] {
  return Object.values(object.data ?? {}).flatMap((value) => {
    const text = object.kind === 'Secret' ? asText(value) : value;
    return text === undefined ? [] : [text];
  });
}

function changeData(object: StoredObject, change: (text: string) => string): StoredObject {
  if (object.data === undefined) return object;
  const data = Object.entries(object.data).map(([key, value]): [string, string] => {
    if (object.kind !== 'Secret') return [key, change(value)];
    const text = asText(value);
    const changed = text === undefined ? undefined : change(text);
    return [key, changed === undefined || changed === text ? value : Buffer.from(changed, 'utf8').toString('base64')];
  });
  return { ...object, data: Object.fromEntries(data) };
}

/** The text behind base64; undefined where it is none. */
function asText(value: string): string | undefined {
  const bytes = Buffer.from(value, 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}
