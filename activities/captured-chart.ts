import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { LifeboatFailure } from '../model/failures.ts';
import { packChart, renderChart } from './clients/helm.ts';
import { chartGuide } from './facts/configuration-guide.ts';
import { differingObjects } from './facts/manifest.ts';
import type { CaptureContext, Captured } from './methods/method.ts';

/**
 * Packs the chart in the version that is installed. Without it the release cannot be installed again: where it cannot be
 * had, the point lacks it and is partial.
 */
export async function captureChart(
  context: Pick<CaptureContext<unknown>, 'backends' | 'bound' | 'progress' | 'signal' | 'writeBytes'>,
  recorded: { values: string; manifest: string },
): Promise<Pick<Captured, 'notes' | 'missing'>> {
  const { release, chart } = context.bound;
  const lacking = (reason: string): Pick<Captured, 'missing'> => ({ missing: [{ stream: 'chart', reason }] });
  if (chart.reference === null) return lacking('lifeboat.yaml names no chart for this release');
  const { access } = context.backends;
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-pack-'));
  try {
    context.progress(`pack chart ${chart.name}`);
    const archive = await packChart(access, { ...chart, reference: chart.reference }, directory, context.signal);
    const wanted = `${chart.name}-${chart.version}.tgz`;
    if (basename(archive) !== wanted)
      return lacking(`${chart.reference} is ${basename(archive)}, installed is ${wanted}; name the installed version`);
    const rendered = await renderChart(access, {
      chart: archive,
      namespace: release.namespace,
      name: release.name,
      values: recorded.values,
      signal: context.signal,
    });
    const differing = differingObjects(rendered, recorded.manifest);
    const shown = `${differing.slice(0, 3).join(', ')}${differing.length > 3 ? ` and ${String(differing.length - 3)} others` : ''}`;
    await context.writeBytes('chart', await readFile(archive), chartGuide(release));
    return differing.length === 0
      ? { notes: [] }
      : {
          notes: [
            `the chart ${chart.reference} does not render what is installed (${shown}); it was stored all the same`,
          ],
        };
  } catch (error) {
    if (!(error instanceof LifeboatFailure) || error.code === 'ToolMissing') throw error;
    return lacking(error.message);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
