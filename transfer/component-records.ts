import { failure, LifeboatFailure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { ComponentRecord } from '../model/recovery-point.ts';
import { canonicalBytes, openSigned, signDocument } from './keys.ts';
import type { Store } from './store.ts';

function recordKey(prefix: string, component: string): string {
  return `${prefix}/${component}.component.json`;
}

/**
 * Leaves what a capture found in the store, signed, as `<point prefix>/<component>.component.json`: the commit takes it
 * from there, so that it need not pass through a history. Idempotent because: a second one replaces the first.
 */
export async function writeComponentRecord(of: {
  store: Store;
  kit: RecoveryKit;
  prefix: string;
  record: ComponentRecord;
}): Promise<void> {
  const { store, kit, prefix } = of;
  const record = ComponentRecord.parse(of.record);
  await store.put(recordKey(prefix, record.component), canonicalBytes(signDocument(kit, { prefix, record })));
}

/** What a capture left; undefined where it left nothing yet. @throws SignatureInvalid, SignerUnknown, ManifestInvalid, Store* */
export async function readComponentRecord(of: {
  store: Store;
  trustedKeys: readonly string[];
  prefix: string;
  component: string;
}): Promise<ComponentRecord | undefined> {
  const key = recordKey(of.prefix, of.component);
  const bytes = await readIfThere(of.store, key);
  if (bytes === undefined) return undefined;
  const invalid = (why: string): Error =>
    failure('ManifestInvalid', { message: `read component record ${key}: ${why}`, subject: key });
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw invalid('it is not JSON');
  }
  const document = openSigned(json, of.trustedKeys, key) as { prefix?: unknown; record?: unknown } | null;
  const parsed = ComponentRecord.safeParse(document?.record);
  if (!parsed.success) throw invalid('it does not have the form of a component record');
  if (document?.prefix !== of.prefix || parsed.data.component !== of.component)
    throw invalid('it is of another point or component');
  return parsed.data;
}

async function readIfThere(store: Store, key: string): Promise<Buffer | undefined> {
  try {
    return await store.get(key);
  } catch (error) {
    if (error instanceof LifeboatFailure && error.code === 'ObjectNotFound') return undefined;
    throw error;
  }
}
