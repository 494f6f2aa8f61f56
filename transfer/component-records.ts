import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { ComponentRecord } from '../model/recovery-point.ts';
import type { Store } from './store.ts';

/** Leaves what a capture found in the store, signed, as `<point prefix>/<component>.component.json`. A second one replaces the first. */
export function writeComponentRecord(of: { store: Store; kit: RecoveryKit; prefix: string; record: ComponentRecord }): Promise<void> {
  return Promise.reject(new Error(`writeComponentRecord is not built yet: ${of.record.component}`));
}

/** What a capture left; undefined where it left nothing yet. @throws SignatureInvalid, SignerUnknown, ManifestInvalid */
export function readComponentRecord(of: { store: Store; trustedKeys: readonly string[]; prefix: string; component: string }): Promise<ComponentRecord | undefined> {
  return Promise.reject(new Error(`readComponentRecord is not built yet: ${of.component}`));
}
