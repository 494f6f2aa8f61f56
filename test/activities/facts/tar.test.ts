import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pushParser } from '../../../activities/facts/push-parser.ts';
import { gatherTarFacts, readTar } from '../../../activities/facts/tar.ts';
import type { Facts } from '../../../model/facts.ts';

const longName = 'd'.repeat(120);
const tree = `
mkdir -p a/b "a/${longName}/${longName}"
printf x >-dash
printf y >'line
break'
printf z >'a/ümlaut 100%'
printf w >"$(printf 'a/bad\\377')"
printf deep >"a/${longName}/${longName}/f"
head -c 200000 /dev/zero >a/zeros
chmod 640 a/zeros
ln -s -- -dash a/link
ln -- -dash a/hard
mkfifo a/pipe
: >empty`;

let directory: string;

function archive(format: string): Buffer {
  return execFileSync('tar', [`--format=${format}`, '-C', directory, '-cf', '-', '.'], { maxBuffer: 64 << 20 });
}

function read(bytes: Buffer, sizes: Iterable<number> = [bytes.byteLength]): Facts {
  const gathered = gatherTarFacts();
  const parser = pushParser(readTar(gathered.visit));
  let at = 0;
  for (const size of sizes) {
    parser.push(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.byteLength) parser.push(bytes.subarray(at));
  parser.end();
  return gathered.facts();
}

describe('readTar', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'lifeboat-tar-'));
    execFileSync('sh', ['-ceu', tree], { cwd: directory });
  });

  afterAll(() => {
    rmSync(directory, { recursive: true });
  });

  it.each(['gnu', 'pax'])('reads every kind of member and every odd name of the format %s', (format) => {
    const owner = `${String(process.getuid?.())}:${String(process.getgid?.())}`;
    const facts = read(archive(format));

    expect(Object.keys(facts)).toHaveLength(14);
    expect(facts['file/a/link']).toBe(`symlink ${owner} -dash`);
    expect(facts['file/a/zeros']).toMatch(new RegExp(`^file 0640 ${owner} 200000 [0-9a-f]{64}$`));
    expect(facts['file/line%0Abreak']).toMatch(/^file /);
    expect(facts['file/a/ümlaut 100%25']).toMatch(/^file /);
    expect(facts['file/a/bad%FF']).toMatch(/^file /);
    expect(facts[`file/a/${longName}/${longName}/f`]).toMatch(/ 4 [0-9a-f]{64}$/);
    expect(facts['file/a/pipe']).toMatch(/^pipe /);
    expect(facts['file/a/b']).toMatch(/^directory /);
    expect(facts['file/empty']).toMatch(/ 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855$/);
  });

  it('gives the first of two names for one file its content, whichever tar met first', () => {
    const forth = execFileSync('tar', ['-C', directory, '-cf', '-', './-dash', './a/hard']);
    const back = execFileSync('tar', ['-C', directory, '-cf', '-', './a/hard', './-dash']);

    expect(read(back)).toEqual(read(forth));
    expect(read(forth)['file/a/hard']).toBe('hardlink -dash');
  });

  it('reads the same whatever the chunks are', () => {
    const bytes = archive('gnu');
    const whole = read(bytes);

    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 20 }), (sizes) => {
        expect(read(bytes, sizes)).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('says that a cut archive ends early, and refuses a damaged header', () => {
    const bytes = archive('gnu');
    const damaged = Buffer.from(bytes);
    damaged[3] = (damaged[3] ?? 0) ^ 0xff;

    expect(() => read(bytes.subarray(0, 100_000))).toThrow(/ends/);
    expect(() => read(damaged)).toThrow('a tar header is damaged');
  });
});
