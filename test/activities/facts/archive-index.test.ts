import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatArchiveIndex, gatherArchiveIndex, parseArchiveIndex } from '../../../activities/facts/archive-index.ts';
import { pathBytes } from '../../../activities/facts/path-segment.ts';
import { pushParser } from '../../../activities/facts/push-parser.ts';
import { gatherTarFacts, readTar } from '../../../activities/facts/tar.ts';
import { testFolder } from '../../transfer/test-sources.ts';
import { makeOddTree } from '../odd-tree.ts';

describe('the index of an archive', () => {
  it.each(['gnu', 'pax'])('tells where the content of each file lies, in the format %s', (format) => {
    const directory = testFolder();
    makeOddTree({ directory, count: 300, seed: 7, attributes: false });
    const tar = execFileSync('tar', [`--format=${format}`, '-C', directory, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
    const index = gatherArchiveIndex();
    const facts = gatherTarFacts();
    const parser = pushParser(
      readTar((member) => {
        index.visit(member);
        facts.visit(member);
      }),
    );
    for (let at = 0; at < tar.byteLength; at += 10_007) parser.push(tar.subarray(at, at + 10_007));
    parser.end();
    const members = parseArchiveIndex(formatArchiveIndex(index.members));

    expect(members).toEqual(index.members);
    expect(members).toHaveLength(Object.keys(facts.facts()).length);
    for (const { path, type, mode, mtime, at, sizeBytes, target } of members) {
      const full = Buffer.concat([Buffer.from(`${directory}/`), pathBytes(path)]);
      const stat = lstatSync(full);
      expect([stat.mode & 0o7777, Math.floor(stat.mtimeMs / 1000)]).toEqual([mode, Math.floor(mtime)]);
      if (type === 'file') expect(sha256(tar.subarray(at, at + sizeBytes))).toBe(sha256(readFileSync(full)));
      if (type === 'hardlink')
        expect(lstatSync(Buffer.concat([Buffer.from(`${directory}/`), pathBytes(target ?? '')])).ino).toBe(stat.ino);
    }
    expect(new Set(members.map(({ type }) => type))).toEqual(
      new Set(['directory', 'file', 'hardlink', 'symlink', 'pipe']),
    );
  });

  it('is not read where it is of a newer format, or none at all', () => {
    const newer = Buffer.from('{"kind":"ArchiveIndex","formatVersion":2,"stream":"tar"}\n');
    expect(() => parseArchiveIndex(newer)).toThrow(expect.objectContaining({ code: 'ManifestNewer' }) as Error);
    expect(() => parseArchiveIndex(Buffer.from('{"rows":1}\n'))).toThrow(
      expect.objectContaining({ code: 'ManifestInvalid' }) as Error,
    );
  });

  it('is empty for a directory without entries', () => {
    const directory = testFolder();
    const index = gatherArchiveIndex();
    const parser = pushParser(readTar(index.visit));
    parser.push(execFileSync('tar', ['-C', join(directory), '-cf', '-', '.']));
    parser.end();
    expect(parseArchiveIndex(formatArchiveIndex(index.members))).toEqual([]);
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
