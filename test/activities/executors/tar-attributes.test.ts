import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findAttributes } from '../../../activities/executors/tar-attributes.ts';
import { missingTools, testFolder } from '../../transfer/test-sources.ts';
import { localKubectl, localPod } from '../local-kubectl.ts';

const none = { attributes: false, acls: false };
const isRoot = process.getuid?.() === 0;

const find = async (directory: string, options: readonly string[] = [], before?: string, isBare = false) =>
  await findAttributes(
    {
      access: await localKubectl(before === undefined ? {} : { before }),
      ...{ pod: localPod, directory, signal: new AbortController().signal, isBare },
    },
    options,
  );

describe.skipIf(missingTools('the search for attributes of files', 'setfattr', 'setfacl'))('findAttributes', () => {
  /** A directory with one file, to which a command is done. */
  function folderWith(command: readonly string[]): string {
    const directory = testFolder();
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'sub', 'drwxr-xr-x* a\nfile+'), 'text');
    const [file = 'true', ...args] = command;
    execFileSync(file, [...args, join(directory, 'sub', 'drwxr-xr-x* a\nfile+')]);
    return directory;
  }
  const setAttribute = ['setfattr', '-n', 'user.key', '-v', 'value'];

  it.each([
    ['no attribute, whatever a name looks like', [], none, []],
    ['an attribute of its owner', setAttribute, { attributes: true, acls: false }, []],
    ['an ACL', ['setfacl', '-m', 'u:4711:r'], { attributes: false, acls: true }, []],
    ...(isRoot
      ? [
          [
            'one that is not of its owner',
            ['setfattr', '-n', 'trusted.key', '-v', 'value'],
            none,
            [/outside `user\.`/],
          ] as const,
        ]
      : []),
  ] as const)('finds %s', async (_, command, carries, notes) => {
    const found = await find(folderWith(command));
    expect(found.carries).toEqual(carries);
    expect(found.notes).toEqual(notes.map((note) => expect.stringMatching(note) as string));
  });

  it('leaves attributes of what its owner may not write where the restore could not set them', async () => {
    const directory = folderWith(setAttribute);
    execFileSync('chmod', ['-R', 'a-w', join(directory, 'sub')]);
    const bare = await find(directory, [], undefined, true);
    expect(bare).toEqual({ carries: none, notes: [expect.stringMatching(/files without write permission/) as string] });
    execFileSync('chmod', ['-R', 'u+w', join(directory, 'sub')]);
    expect((await find(directory, [], undefined, true)).carries).toEqual({ attributes: true, acls: false });
  });

  it.skipIf(!isRoot)('carries them where whoever restores may write everything', async () => {
    const directory = folderWith(setAttribute);
    execFileSync('chmod', ['-R', 'a-w', join(directory, 'sub')]);
    expect(await find(directory)).toEqual({ carries: { attributes: true, acls: false }, notes: [] });
  });

  it('does not look at what is left out', async () => {
    expect(await find(folderWith(setAttribute), ['--exclude=./sub'])).toEqual({ carries: none, notes: [] });
  });

  it.each([
    ['another tar', 'echo "tar (busybox) 1.36"'],
    [
      'a GNU tar that was built without them',
      'case $1 in --version) exec /bin/tar "$@";; *) echo no support >&2;; esac',
    ],
  ])('says that nothing is kept where the image has %s', async (_, script) => {
    const tools = testFolder();
    writeFileSync(join(tools, 'tar'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const found = await find(folderWith(setAttribute), [], `PATH=${tools}:$PATH`);
    expect(found).toEqual({ carries: none, notes: [expect.stringMatching(/are not kept/) as string] });
  });
});
