import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { uninstallRelease } from '../../../activities/clients/uninstall-release.ts';
import { testFolder } from '../../transfer/test-sources.ts';

const folder = testFolder();
const [helm, kubectl, said, calls, waited] = ['helm', 'kubectl', 'said', 'calls', 'waited'].map((name) =>
  join(folder, name),
) as [string, string, string, string, string];

/** Fails once with what is `said`; the real ones are asked by the tests of recoveries that are taken back. */
function program(path: string, log: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\necho "$*" >>'${log}'\n${body}\n`);
  chmodSync(path, 0o755);
}

const leaving = (object: string): string =>
  `resource ${object} still exists. status: Terminating, message: Resource scheduled for deletion`;

describe('uninstallRelease', () => {
  beforeEach(() => {
    for (const file of [said, calls, waited]) rmSync(file, { force: true });
    program(helm, calls, `[ -e '${said}' ] || exit 0\ncat '${said}' >&2; rm '${said}'; exit 1`);
    program(kubectl, waited, 'exit 0');
  });

  const uninstall = async (): Promise<void> => {
    await uninstallRelease({ helm, kubectl, kubeconfig: undefined, context: undefined }, 'shop', 'cache');
  };
  const lines = (file: string): string[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []);

  it('waits for what Helm stopped waiting for, and asks it again', async () => {
    const objects = [leaving('StatefulSet/shop/cache'), leaving('ClusterRole//cache')];
    writeFileSync(said, `Error: uninstallation completed with 1 error(s): ${objects.join('\n')}\n`);

    await uninstall();

    expect(lines(calls)).toHaveLength(2);
    expect(lines(waited)).toEqual([
      'wait --for=delete StatefulSet/cache -n shop --timeout=120s',
      'wait --for=delete ClusterRole/cache --timeout=120s',
    ]);
  });

  it('fails where Helm could not delete something else, too', async () => {
    const errors = ['object not deleted: its webhook says no', leaving('StatefulSet/shop/cache')];
    writeFileSync(said, `Error: uninstallation completed with 2 error(s): ${errors.join('; ')}\n`);

    await expect(uninstall()).rejects.toMatchObject({ code: 'HelmFailed' });
    expect(lines(waited)).toEqual([]);
  });

  it('fails where what is on its way out stays', async () => {
    writeFileSync(said, `Error: uninstallation completed with 1 error(s): ${leaving('Service/shop/cache')}\n`);
    program(kubectl, waited, 'echo "error: timed out waiting for the condition" >&2; exit 1');

    await expect(uninstall()).rejects.toThrow(/wait until Service cache is gone: .*timed out/);
    expect(lines(calls)).toHaveLength(1);
  });
});
