import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { releaseReader } from '../../../activities/clients/helm.ts';
import { testFolder } from '../../transfer/test-sources.ts';

const folder = testFolder();
const [helm, asked, down] = ['helm', 'asked', 'down'].map((name) => join(folder, name)) as [string, string, string];
const release = { namespace: 'shop', revision: '3', status: 'failed', chart: 'redis-1.2.3', app_version: '8' };
const listed = ['cache', 'sessions'].map((name) => ({ ...release, name }));

it('asks Helm once about a namespace, and again after a failure', async () => {
  // Counts what it is asked; the real one answers in the tests of whole platforms.
  writeFileSync(
    helm,
    `#!/bin/sh\necho "$3" >>'${asked}'\nif [ -e '${down}' ]; then echo 'connection refused' >&2; exit 1; fi\necho '${JSON.stringify(listed)}'\n`,
  );
  chmodSync(helm, 0o755);
  writeFileSync(down, '');
  const read = releaseReader({ helm, kubectl: 'kubectl', kubeconfig: undefined, context: undefined });

  await expect(read('shop', 'cache')).rejects.toMatchObject({ code: 'ClusterUnreachable' });
  rmSync(down);
  const found = await Promise.all(['cache', 'sessions', 'cach', 'none'].map((name) => read('shop', name)));
  await read('web', 'cache');

  expect(found.map((each) => each && [each.name, each.revision, each.status])).toEqual([
    ['cache', 3, 'failed'],
    ['sessions', 3, 'failed'],
    undefined,
    undefined,
  ]);
  expect(readFileSync(asked, 'utf8').trim().split('\n')).toEqual(['shop', 'shop', 'web']);
});
