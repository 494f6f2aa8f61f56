import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Lends the bytes of a chart archive to helm, which reads files alone; the file is gone afterwards. */
export async function withChartFile<T>(archive: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'lifeboat-chart-'));
  try {
    const path = join(directory, 'chart.tgz');
    await writeFile(path, archive, { mode: 0o600 });
    return await use(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
