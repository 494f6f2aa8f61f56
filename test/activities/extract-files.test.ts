import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCapturedFacts } from '../../activities/captured-facts.ts';
import { type ExtractedFiles, extractFiles } from '../../activities/extract-files.ts';
import { chooseMembers } from '../../activities/facts/choose-members.ts';
import { openPointArchive, type PointArchive } from '../../activities/point-archive.ts';
import { type ArchivedPoint, archivedPoint, removeFolders } from './archived-point.ts';
import { makeOddTree } from './odd-tree.ts';
import { differencesOf, readTreeAttributes, type TreeAttributes } from './tree-attributes.ts';

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeboat-extract-'));
  folders.push(folder);
  return folder;
};

type Extraction = { readonly to: string; readonly extracted: ExtractedFiles; readonly archive: PointArchive };

async function open(point: ArchivedPoint, notes: string[] = []): Promise<PointArchive> {
  return await openPointArchive({ ...point, note: (line) => notes.push(line) });
}

async function extract(point: ArchivedPoint, paths: readonly string[], notes: string[] = []): Promise<Extraction> {
  const archive = await open(point, notes);
  const to = join(newFolder(), 'new');
  const extracted = await extractFiles({
    ...{ archive, to, chosen: chooseMembers(archive.index, paths) },
    facts: await readCapturedFacts(point, archive.record),
  });
  return { to, extracted, archive };
}

afterAll(() => {
  removeFolders(folders);
});

describe('extractFiles', () => {
  const deepest = `deep/${Array.from({ length: 12 }, (_, level) => `${String(level)}${'d'.repeat(level % 2 === 0 ? 120 : 30)}`).join('/')}`;
  let directory: string;
  let point: ArchivedPoint;
  let captured: TreeAttributes;

  beforeAll(async () => {
    directory = newFolder();
    makeOddTree({ directory, count: 600, seed: 3, attributes: false });
    writeFileSync(join(directory, 'large'), randomBytes(1_234_567));
    point = await archivedPoint({ directory });
    captured = readTreeAttributes({ directory, attributes: false });
  });

  it('writes every file, link and directory as it was captured', async () => {
    const { to, extracted } = await extract(point, ['.']);
    const written = readTreeAttributes({ directory: to, attributes: false });
    const pipe = [...captured].filter(([, is]) => is.startsWith('type 10000 '));
    expect(pipe).toHaveLength(1);
    expect(differencesOf(new Map([...captured].filter(([, is]) => !is.startsWith('type 10000 '))), written)).toEqual(
      [],
    );
    expect(extracted.skipped).toEqual([{ path: 'pipe', reason: 'a pipe is not made' }]);
    expect(extracted.files + extracted.links + extracted.directories + 1).toBe(captured.size);
  });

  it('writes a directory with what is below it, and those above it with their attributes', async () => {
    const { to } = await extract(point, [`./${deepest}/`]);
    const written = readTreeAttributes({ directory: to, attributes: false });
    const wanted = [...captured].filter(
      ([path]) => `${deepest}/`.startsWith(`${path}/`) || path.startsWith(`${deepest}/`),
    );
    const alone = (tree: Iterable<[string, string]>): TreeAttributes =>
      new Map([...tree].map(([path, is]) => [path, is.replace(/ one of .*/s, '')]));
    expect(wanted.length).toBeGreaterThan(13);
    expect(differencesOf(alone(wanted), alone(written))).toEqual([]);
  });

  it('reads only the frames that hold what was asked for', async () => {
    const tar = point.manifest.components[0]?.artifacts[0];
    const frames = tar?.segments.reduce((sum, segment) => sum + segment.frames.length, 0) ?? 0;
    const small =
      [...captured].find(([path, is]) => / size [1-9][0-9]{0,3} /.test(is) && !/[^ -~]/.test(path))?.[0] ?? '';
    const { archive, to } = await extract(point, [small]);
    expect(frames).toBeGreaterThan(40);
    expect(archive.content.cost.frames).toBeLessThanOrEqual(2);
    expect(readFileSync(join(to, small)).equals(readFileSync(join(directory, small)))).toBe(true);
    const large = await extract(point, ['large']);
    expect(large.archive.content.cost.frames).toBeLessThanOrEqual(14);
    expect(readFileSync(join(large.to, 'large')).equals(readFileSync(join(directory, 'large')))).toBe(true);
  });

  it('fetches the content of a hard link whose first name was not asked for', async () => {
    const names = [...captured].filter(([, is]) => is.includes(' one of ')).map(([path]) => path);
    for (const name of names.slice(0, 20)) {
      const member = point.manifest.id === '' ? '' : Buffer.from(name, 'latin1');
      const path = member.toString();
      if (Buffer.from(path).toString('latin1') !== name) continue;
      const { to } = await extract(point, [path]);
      expect(readFileSync(join(to, path)).equals(readFileSync(join(directory, path)))).toBe(true);
      expect(statSync(join(to, path)).nlink).toBe(1);
    }
    expect(names.length).toBeGreaterThan(10);
  });

  it('names the nearest paths where it has none of that name', async () => {
    const archive = await open(point);
    expect(() => chooseMembers(archive.index, ['elsewhere/large'])).toThrow(
      expect.objectContaining({
        code: 'FileUnknown',
        message: expect.stringMatching(/nearest: large, /) as string,
      }) as Error,
    );
  });

  it('writes into a new or an empty directory alone', async () => {
    const archive = await open(point);
    const to = newFolder();
    writeFileSync(join(to, 'there'), 'x');
    const of = { archive, to, chosen: chooseMembers(archive.index, ['large']), facts: {} };
    await expect(extractFiles(of)).rejects.toMatchObject({ code: 'InputInvalid' });
    expect(readdirSync(to)).toEqual(['there']);
  });

  it('leaves no file whose bytes are not the captured ones', async () => {
    const archive = await open(point);
    const to = join(newFolder(), 'new');
    const facts = { ...(await readCapturedFacts(point, archive.record)) };
    facts['file/large'] = String(facts['file/large']).replace(/[0-9a-f]{64}$/, 'a'.repeat(64));
    const of = { archive, to, chosen: chooseMembers(archive.index, ['large']), facts };
    await expect(extractFiles(of)).rejects.toMatchObject({ code: 'ArtifactDigestMismatch' });
    expect(readdirSync(to)).toEqual([]);
  });
});

describe('openPointArchive', () => {
  const small = newFolder();
  mkdirSync(join(small, 'a'));
  writeFileSync(join(small, 'a', 'one'), 'one');
  writeFileSync(join(small, 'two'), randomBytes(300_000));

  it('reads an archive without an index once as a whole, and says so', async () => {
    const point = await archivedPoint({ directory: small, withoutIndex: true });
    const notes: string[] = [];
    const { to } = await extract(point, ['a/one'], notes);
    expect(readFileSync(join(to, 'a', 'one'), 'utf8')).toBe('one');
    expect(notes).toEqual([
      expect.stringMatching(/without an index: its archive of 3[0-9]{2} KiB is read once/) as string,
    ]);
    expect((await open(point)).index).toEqual((await open(await archivedPoint({ directory: small }))).index);
  });

  it('does without an index that is damaged, and says so', async () => {
    const point = await archivedPoint({ directory: small });
    const key = point.manifest.components[0]?.artifacts[1]?.segments[0]?.key ?? '';
    await point.store.put(key, (await point.store.get(key)).subarray(0, -1));
    const notes: string[] = [];
    const { to } = await extract(point, ['a'], notes);
    expect(readdirSync(join(to, 'a'))).toEqual(['one']);
    expect(notes).toEqual([expect.stringMatching(/^the index cannot be used \(ArtifactTruncated: /) as string]);
  });

  it('names the archives that there are', async () => {
    const point = await archivedPoint({ directory: small });
    const [component] = point.manifest.components;
    if (component === undefined) throw new Error('no component');
    const of = { ...point, note: () => undefined };
    const two = { ...point.manifest, components: [component, { ...component, component: 'other' }] };
    await expect(openPointArchive({ ...of, manifest: two })).rejects.toMatchObject({
      code: 'InputInvalid',
      message: expect.stringContaining('name one by --component: files, other') as string,
    });
    await expect(openPointArchive({ ...of, component: 'tables' })).rejects.toMatchObject({ code: 'InputInvalid' });
    await expect(openPointArchive({ ...of, manifest: { ...point.manifest, components: [] } })).rejects.toMatchObject({
      code: 'InputInvalid',
    });
  });
});

describe('an archive that leads out of its directory', () => {
  const outside = newFolder();

  /** A tar of what a script of shell makes, its names changed on their way. */
  function tarOf(script: string, rename: string): Buffer {
    const cwd = newFolder();
    execFileSync('sh', ['-ceu', script], { cwd });
    return execFileSync('sh', ['-c', `tar -P --transform='${rename}' -cf - *`], { cwd });
  }

  it.each([
    ['by going up', tarOf('mkdir a; echo x >a/evil', 's,^a/evil,../evil,'), '../evil'],
    ['by going up on its way', tarOf('mkdir a; echo x >a/evil', 's,^a/evil,a/../../evil,'), 'a/../../evil'],
    ['from the root', tarOf('echo x >evil', `s,^evil,${outside}/evil,`), `${outside}/evil`],
    ['through a link', tarOf(`ln -s ${outside} a; echo x >evil`, 's,^evil,a/evil,'), 'a/evil'],
    ['through a file', tarOf('echo x >a; echo x >evil', 's,^evil,a/evil,'), 'a/evil'],
  ])('is refused, and nothing of it written: %s', async (_, tar, path) => {
    const point = await archivedPoint({ directory: newFolder(), tar });
    const before = folders.length;
    for (const paths of [['.'], [path]])
      await expect(extract(point, paths)).rejects.toMatchObject({ code: 'PathUnsafe' });
    expect(existsSync(join(outside, 'evil'))).toBe(false);
    for (const folder of folders.slice(before)) expect(existsSync(join(folder, 'new'))).toBe(false);
  });
});
