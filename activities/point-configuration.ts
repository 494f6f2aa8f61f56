import type { Moves } from '../model/drill.ts';
import type { Backends } from './backends.ts';
import { resolveRelease } from './binding/bind-release.ts';
import { moveIntoDrill } from './binding/move-plan.ts';
import { capturedPlan, locatePoint } from './plan-recovery.ts';
import type { ConfigurationContext } from './recovery-document.ts';
import { restoreContext } from './restore-context.ts';

/** The configuration that a point holds, as a drill would restore it; undefined where the point holds none. */
export async function configurationOfPoint(
  backends: Backends,
  of: { release: string; point: string; moves: Moves },
): Promise<ConfigurationContext | undefined> {
  const found = await locatePoint(backends, resolveRelease(backends, of.release), of.point, null);
  const { manifest } = found;
  const component = manifest.components.find(({ method }) => method === 'release-config')?.component;
  if (component === undefined) return undefined;
  const bound = moveIntoDrill(await capturedPlan(backends, found), of.moves);
  return (await restoreContext(
    backends,
    { bound, recovery: null },
    manifest,
    component,
    manifest.id,
  )) as ConfigurationContext;
}
