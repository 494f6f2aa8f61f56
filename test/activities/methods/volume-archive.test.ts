import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MethodContext } from '../../../activities/methods/method.ts';
import { volumeArchive } from '../../../activities/methods/volume-archive.ts';
import { captureInMemory } from '../../conformance/memory-point.ts';
import { localKubectl, localPod } from '../local-kubectl.ts';

type Options = Parameters<typeof volumeArchive.capture>[0]['options'];

describe('volumeArchive', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lifeboat-volume-'));
    await writeFile(join(directory, 'file'), 'text');
  });

  afterEach(async () => {
    await rm(directory, { recursive: true });
  });

  /** A tar that says what the real one says when a file grows under it. */
  async function context(plan: object): Promise<MethodContext<Options>> {
    const tools = await mkdtemp(join(tmpdir(), 'lifeboat-tar-'));
    const says = 'tar: ./file: file changed as we read it';
    await writeFile(
      join(tools, 'tar'),
      `#!/bin/sh\n/bin/tar "$@" || exit\ncase "$*" in *" -cf - "*) echo "${says}" >&2; exit 1 ;; esac\n`,
      { mode: 0o755 },
    );
    const access = await localKubectl({ before: `PATH=${tools}:$PATH` });
    return {
      backends: { access } as MethodContext<Options>['backends'],
      bound: { plan } as MethodContext<Options>['bound'],
      component: {
        name: 'files',
        executor: 'exec',
        captureWhile: 'running',
        group: 'site',
      } as MethodContext<Options>['component'],
      options: volumeArchive.options.parse({ mountPath: directory }),
      workload: undefined,
      signal: new AbortController().signal,
      generation: 'test',
      progress: () => undefined,
      pod: () => Promise.resolve(localPod),
    };
  }

  it('fails where a file changed under a service that writes', async () => {
    await expect(
      captureInMemory(volumeArchive, { ...(await context({})), pod: () => Promise.resolve(localPod) }),
    ).rejects.toMatchObject({ code: 'SourceInconsistent' });
  });

  it('says so in a note where the plan holds the writers', async () => {
    const { captured } = await captureInMemory(volumeArchive, await context({ quiesce: {} }));

    expect(captured.notes).toEqual(['files changed while they were read, with the writers of the plan held']);
    expect(captured.totals).toEqual({ files: 1, bytes: 4 });
  });

  it('refuses a path that is not absolute, and patterns that would match elsewhere', () => {
    expect(volumeArchive.options.safeParse({ mountPath: 'data' }).success).toBe(false);
    expect(volumeArchive.options.safeParse({ mountPath: '/data', exclude: ['cache/*'] }).success).toBe(false);
  });
});
