import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import type { RecoveryKit } from '../../model/recovery-kit.ts';
import { formatRecoveryKit } from '../../transfer/keys.ts';
import { release } from '../transfer/test-points.ts';

/** The module of the command. */
export const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');

export type Answer = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Writes lifeboat.yaml of the release of the tests, and the kit, into a folder. `more` goes into lifeboat.yaml. */
export async function settle(home: string, kit: RecoveryKit, store: string, more: object = {}): Promise<void> {
  await writeFile(join(home, 'kit.json'), formatRecoveryKit(kit), { mode: 0o600 });
  const platform = {
    ...{ apiVersion: 'lifeboat/v1', platform: 'shop', cluster: { name: release.cluster } },
    ...{ store: { url: store }, recipients: kit.recipients },
    releases: [{ release: `${release.namespace}/${release.name}` }],
    ...more,
  };
  await writeFile(join(home, 'lifeboat.yaml'), stringify(platform));
}

/** Runs the command with the configuration of a folder. @param uid - as whom, where not as who runs the tests */
export async function lifeboat(home: string, uid: number | undefined, ...args: readonly string[]): Promise<Answer> {
  const given = ['--config', join(home, 'lifeboat.yaml'), '--key', join(home, 'kit.json')];
  const as = uid === undefined ? {} : { uid, gid: uid };
  const env = { ...process.env, NO_COLOR: '1', ...(uid === undefined ? {} : { HOME: home }) };
  return await promisify(execFile)(process.execPath, [main, ...given, ...args], { env, ...as }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: unknown) => error as Answer,
  );
}
