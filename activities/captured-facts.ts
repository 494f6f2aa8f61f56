import { Facts } from '../model/facts.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import type { ComponentRecord } from '../model/recovery-point.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import type { Backends } from './backends.ts';

/** The facts that were captured with a component. */
export async function readCapturedFacts(
  backends: Pick<Backends, 'store'> & { readonly kit: Pick<RecoveryKit, 'identity'> },
  record: Pick<ComponentRecord, 'facts'>,
): Promise<Facts> {
  const bytes = await readBytes({
    store: backends.store,
    artifact: record.facts,
    identity: backends.kit.identity,
    maxBytes: 1024 * 1024 * 1024,
  });
  return Facts.parse(JSON.parse(bytes.toString('utf8')));
}
