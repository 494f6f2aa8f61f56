import { describe, expect, it } from 'vitest';
import { openPodSession } from '../../../activities/executors/pod-session.ts';
import { localKubectl, localPod } from '../local-kubectl.ts';

describe('openPodSession', () => {
  it('answers question after question in one process', async () => {
    const session = openPodSession(await localKubectl(), localPod, ['sh'], (line) => `echo ${line}`);

    expect(await session.ask('x=5; echo one; echo two')).toEqual(['one', 'two']);
    expect(await session.ask('echo $x')).toEqual(['5']);
    await session.close();
  });

  it.each([
    ['ERROR 1045 (28000): Access denied', 'CredentialMismatch'],
    ['exec: "psql": stat /usr/bin/psql: no such file or directory: unknown', 'CaptureToolMissing'],
    // of a server that starts
    [
      'psql: error: connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory',
      'DumpFailed',
    ],
  ])('says why the process ended: %s', async (said, code) => {
    const session = openPodSession(
      await localKubectl(),
      localPod,
      ['sh', '-c', 'echo "$1" >&2; exit 1', 'sh', said],
      (line) => line,
    );

    await expect(session.ask('SELECT 1;')).rejects.toMatchObject({ code });
  });
});
