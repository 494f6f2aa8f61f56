import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { volumeArchive } from '../../../activities/methods/volume-archive.ts';
import { captureInMemory, restoreContextOf } from '../../conformance/memory-point.ts';
import { missingTools } from '../../transfer/test-sources.ts';
import { archiveContext, removeFolders } from '../archived-point.ts';
import { makeOddTree } from '../odd-tree.ts';
import { differencesOf, readTreeAttributes, type TreeAttributes } from '../tree-attributes.ts';

const count = process.env['LIFEBOAT_FULL'] === '1' ? 100_000 : 2_000;
const seed = Number(process.env['LIFEBOAT_SEED'] ?? 1);
const skip = ['.lifeboat-generation'];
const lacksAttributes = missingTools(
  'extended attributes and ACLs of files',
  'setfattr',
  'getfattr',
  'setfacl',
  'getfacl',
);
const lacksBusybox = missingTools("busybox's tar", 'busybox');
const folders: string[] = [];

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lifeboat-odd-'));
  folders.push(folder);
  return folder;
}

/** A folder with a `tar` that passes all but some of its options on. */
function tarThatDrops(pattern: string, to: string): string {
  const folder = newFolder();
  const script = `#!/bin/sh\nfor each; do shift; case $each in ${pattern}) ;; *) set -- "$@" "$each" ;; esac; done\nexec ${to} "$@"\n`;
  writeFileSync(join(folder, 'tar'), script, { mode: 0o755 });
  return folder;
}

function setAttribute(name: string, path: string): void {
  execFileSync('sh', ['-c', 'setfattr -n "$1" -v value "$2"', 'sh', name, path]);
}

/** Deletes half of the top, and adds what was not captured. */
function damage(directory: string): void {
  for (const [index, name] of readdirSync(directory, { encoding: 'buffer' }).entries())
    if (index % 2 === 0) rmSync(Buffer.concat([Buffer.from(`${directory}/`), name]), { recursive: true, force: true });
  writeFileSync(join(directory, 'intruder'), 'x');
  rmSync(join(directory, 'deep'), { recursive: true, force: true });
  writeFileSync(join(directory, 'deep'), 'a file in the place of a directory');
}

describe(`volumeArchive on ${String(count)} odd files`, { timeout: 1_800_000 }, () => {
  afterAll(() => {
    removeFolders(folders);
  });

  describe.each([
    ['GNU tar', '', !lacksAttributes],
    ["busybox's tar", 'busybox', false],
  ])('by %s', (name, tool, attributes) => {
    const isSkipped = tool === 'busybox' && lacksBusybox;
    let directory: string;
    let before = '';
    let captured: TreeAttributes;

    beforeAll(() => {
      if (isSkipped) return;
      directory = newFolder();
      makeOddTree({ directory, count, seed, attributes, plain: tool === 'busybox' });
      if (tool !== '') {
        // Debian builds busybox without --exclude, which others have; nothing here is left out.
        before = `PATH=${tarThatDrops('--exclude*', `${tool} tar`)}:$PATH`;
      }
      captured = readTreeAttributes({ directory, attributes, skip });
    });

    it.skipIf(isSkipped)('brings each of them back with every attribute', async () => {
      const context = await archiveContext(directory, before);
      const point = await captureInMemory(volumeArchive, context);
      expect(point.captured.totals['files']).toBe(captured.size - attributeBlocks(captured));
      damage(directory);
      expect(differencesOf(captured, readTreeAttributes({ directory, attributes, skip })).length).toBeGreaterThan(0);

      await volumeArchive.restore(restoreContextOf(context, point));

      const restored = readTreeAttributes({ directory, attributes, skip });
      const kept = tool === 'busybox' ? withoutLateTimes : (tree: TreeAttributes): TreeAttributes => tree;
      expect(differencesOf(kept(captured), kept(restored))).toEqual([]);
      expect(point.captured.notes?.join()).toMatch(name === 'GNU tar' ? /^$/ : /ACLs, if files have any, are not kept/);
    });
  });

  it.skipIf(lacksAttributes)('sees that an attribute did not come back, and leaves what was there', async () => {
    const directory = newFolder();
    mkdirSync(join(directory, 'a'));
    writeFileSync(join(directory, 'a', 'file'), 'text');
    setAttribute('user.key', join(directory, 'a', 'file'));
    const point = await captureInMemory(volumeArchive, await archiveContext(directory));
    expect(Object.keys(point.captured.facts)).toContain('attributes/a/file');
    writeFileSync(join(directory, 'a', 'file'), 'live');
    const before = `PATH=${tarThatDrops('--xattrs*', '/bin/tar')}:$PATH`;

    await expect(
      volumeArchive.restore(restoreContextOf(await archiveContext(directory, before), point)),
    ).rejects.toMatchObject({ code: 'FactsDiffer', message: expect.stringContaining('attributes') as string });

    expect(execFileSync('cat', [join(directory, 'a', 'file')], { encoding: 'utf8' })).toBe('live');
  });

  it.skipIf(lacksAttributes || process.getuid?.() !== 0)('says what attributes it does not keep', async () => {
    const directory = newFolder();
    writeFileSync(join(directory, 'ping'), '#!/bin/sh', { mode: 0o755 });
    setAttribute('trusted.key', join(directory, 'ping'));

    const { captured } = await captureInMemory(volumeArchive, await archiveContext(directory));

    expect(captured.notes).toEqual([
      'extended attributes outside `user.`, such as capabilities of programs, are not kept',
    ]);
    expect(Object.keys(captured.facts)).toEqual(['file/ping']);
  });
});

function attributeBlocks(tree: TreeAttributes): number {
  return [...tree.keys()].filter((path) => /^getf(attr|acl) /.test(path)).length;
}

/** busybox does not set the times of symbolic links, and those of directories before it fills them. */
function withoutLateTimes(tree: TreeAttributes): TreeAttributes {
  return new Map([...tree].map(([path, is]) => [path, is.replace(/^(type (?:120000|40000) .*) mtime -?[0-9]+/, '$1')]));
}
