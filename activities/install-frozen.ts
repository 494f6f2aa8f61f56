import { Context } from '@temporalio/activity';
import type { Artifact } from '../model/recovery-point.ts';
import { readBytes } from '../transfer/read-artifact.ts';
import type { Backends } from './backends.ts';
import { installChart } from './clients/helm.ts';

/** Installs or upgrades a release to a chart and values that were frozen in the store. @throws HelmFailed, HelmBusy, Artifact* */
export async function installFrozen(
  { access, store, kit }: Backends,
  of: { namespace: string; name: string; chart: Artifact; values: Artifact },
): Promise<void> {
  const read = async (artifact: Artifact): Promise<Buffer> =>
    await readBytes({ store, artifact, identity: kit.identity });
  await installChart(access, {
    archive: await read(of.chart),
    namespace: of.namespace,
    name: of.name,
    values: (await read(of.values)).toString('utf8'),
    signal: Context.current().cancellationSignal,
  });
}
