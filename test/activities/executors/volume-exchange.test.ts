import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  exchangeEntriesScript,
  extractScript,
  prepareDirectoryScript,
} from '../../../activities/executors/volume-exchange.ts';

let directory: string;
let archive: Buffer;

const sh = (script: string, ...args: string[]): string =>
  execFileSync('sh', ['-c', script, 'sh', ...args], { cwd: directory, encoding: 'utf8' });
const prepare = (generation: string): string => sh(prepareDirectoryScript, 'volume', generation).trim();
const extract = (): Buffer =>
  execFileSync('sh', ['-c', extractScript, 'sh', 'volume'], { cwd: directory, input: archive });
const exchange = (generation: string): string => sh(exchangeEntriesScript, 'volume', generation);
/** Every path below the volume but the marks, with the text of files. */
const content = (): string =>
  sh(
    `cd volume && find . -mindepth 1 ! -path './.lifeboat-*' ! -path './lost+found' | LC_ALL=C sort | while IFS= read -r path; do printf '%s' "$path"; [ ! -f "$path" ] || cat "$path"; echo; done`,
  );

describe('the exchange of a directory', () => {
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lifeboat-exchange-'));
    sh(`mkdir -p captured/a/b volume/old volume/lost+found
echo new >captured/-dash; echo new >captured/a/b/file; echo new >captured/.hidden; echo new >'captured/line
break'; ln -s nowhere captured/dangling
echo live >volume/old/file; echo live >volume/-dash; echo live >volume/..two; echo live >'volume/line
break'; ln -s away volume/dangling`);
    archive = execFileSync('tar', ['-C', join(directory, 'captured'), '-cf', '-', '.']);
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it('puts the new entries in the place of the old ones, whatever their names, and leaves one marker', () => {
    expect(prepare('one')).toBe('empty');
    extract();
    exchange('one');

    expect(content()).toBe(content().replaceAll('live', ''));
    expect(readdirSync(join(directory, 'volume')).sort()).toEqual(
      ['-dash', '.hidden', '.lifeboat-generation', 'a', 'dangling', 'line\nbreak', 'lost+found'].sort(),
    );
    expect(prepare('one')).toBe('done');
  });

  it('goes on where it was killed, at every step', () => {
    prepare('one');
    extract();
    exchange('one');
    const done = content();
    for (let step = 1; ; step += 1) {
      rmSync(join(directory, 'volume'), { recursive: true });
      sh('mkdir volume; echo live >volume/x; echo live >volume/y');
      prepare('two');
      extract();
      const killed = spawnSync(
        'sh',
        [
          '-c',
          `count=0; mv() { count=$((count + 1)); [ $count -lt ${String(step)} ] || exit 9; command mv "$@"; }; ${exchangeEntriesScript}`,
          'sh',
          'volume',
          'two',
        ],
        { cwd: directory },
      );
      if (killed.status === 0) {
        expect(step).toBeGreaterThan(6);
        return;
      }
      const next = prepare('two');
      if (next === 'empty') extract();
      expect(['empty', 'compared']).toContain(next);
      exchange('two');
      expect(content()).toBe(done);
      expect(prepare('two')).toBe('done');
    }
  });

  it('takes back what another run left half done', () => {
    const before = content();
    for (let step = 2; step < 12; step += 1) {
      prepare('killed');
      extract();
      spawnSync(
        'sh',
        [
          '-c',
          `count=0; mv() { count=$((count + 1)); [ $count -lt ${String(step)} ] || exit 9; command mv "$@"; }; ${exchangeEntriesScript}`,
          'sh',
          'volume',
          'killed',
        ],
        { cwd: directory },
      );
      if (prepare('killed') === 'done') return;
      expect(prepare('other')).toBe('empty');
      expect(content()).toBe(before);
    }
  });
});
