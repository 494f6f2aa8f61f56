import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readPodClock, runInPod, streamFromPod, streamToPod } from '../../../activities/executors/pod-exec.ts';
import { localKubectl, localPod } from '../local-kubectl.ts';

async function drain(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* of(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

/** What `seq 1 300000` writes. */
const expected = Buffer.from(Array.from({ length: 300_000 }, (_, index) => `${String(index + 1)}\n`).join(''));

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

describe('streamFromPod', () => {
  it('proves the exit code and the digest of what the command wrote', async () => {
    const source = streamFromPod(await localKubectl(), localPod, ['sh', '-c', 'seq 1 200000; echo done >&2']);
    const bytes = await drain(source.bytes);

    expect(await source.end()).toEqual({
      exitCode: 0,
      statusSeen: true,
      trailerSeen: false,
      digestSha256: sha256(bytes),
      lastLine: 'done',
    });
  });

  it('packs the bytes for their way where the pod has zstd, and gives them as they were', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'lifeboat-way-'));
    const way = join(directory, 'way');
    const packing = await localKubectl({ before: `"$@" | tee '${way}'; exit "\${PIPESTATUS[0]}"` });
    const command = ['sh', '-c', 'seq 1 300000'];

    const source = streamFromPod(packing, localPod, command);
    expect((await drain(source.bytes)).equals(expected)).toBe(true);
    expect(await source.end()).toMatchObject({ exitCode: 0, statusSeen: true, digestSha256: sha256(expected) });
    const packed = await readFile(way);
    expect(packed.toString('latin1', 0, 60)).toMatch(/^lifeboat-[0-9a-f]{24} zstd\n/);
    expect(packed.byteLength).toBeLessThan(expected.byteLength / 2);

    const bare = join(directory, 'bin');
    await mkdir(bare);
    for (const tool of ['sh', 'seq', 'tee', 'sha256sum', 'sleep'])
      await symlink(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bare, tool));
    const without = await localKubectl({ before: `PATH='${bare}' "$@" | tee '${way}'; exit "\${PIPESTATUS[0]}"` });
    const plain = streamFromPod(without, localPod, command);
    expect((await drain(plain.bytes)).equals(expected)).toBe(true);
    expect(await plain.end()).toMatchObject({ exitCode: 0, statusSeen: true, digestSha256: sha256(expected) });
    expect((await readFile(way)).toString('latin1', 0, 60)).toMatch(/^lifeboat-[0-9a-f]{24} plain\n1\n/);
  });

  it.each([
    ['cut', 'head -c 40000'],
    ['cut within its first line', 'head -c 20'],
    ['without their first line', 'tail -c +70; head -c 300000 /dev/zero'],
    ['damaged', `(head -c 30000; head -c 10 /dev/zero; head -c 10 >/dev/null; cat)`],
  ])('ends where the packed bytes are %s, and their digest contradicts', async (_, fault) => {
    const access = await localKubectl({ before: `"$@" | ${fault}; exit 0` });
    const source = streamFromPod(access, localPod, ['sh', '-c', 'seq 1 300000']);
    const bytes = await drain(source.bytes);

    const report = await source.end();
    expect(bytes.byteLength).toBeLessThan(expected.byteLength);
    expect(report.digestSha256).not.toBe(sha256(bytes));
    expect(report.lastLine).toBeTruthy();
  });

  it('keeps every byte for a reader that comes late', async () => {
    const source = streamFromPod(await localKubectl(), localPod, ['seq', '1', '200000']);
    await pause(300);

    const bytes = await drain(source.bytes);

    expect(bytes.subarray(0, 4).toString()).toBe('1\n2\n');
    expect(await source.end()).toMatchObject({ exitCode: 0, digestSha256: sha256(bytes) });
  });

  it('is whole though kubectl is slow and loses what it has not passed on when the command ends', async () => {
    const losing = `
      const { spawn } = require('node:child_process');
      const [file, ...args] = process.argv.slice(1);
      const child = spawn('sh', ['-c', '"$@" | cat', 'sh', file, ...args], { stdio: ['inherit', 'pipe', 'inherit'] });
      child.once('exit', () => process.exit(0));
      let waiting = Buffer.alloc(0);
      child.stdout.on('data', (chunk) => { waiting = Buffer.concat([waiting, chunk]); });
      setInterval(() => {
        process.stdout.write(waiting.subarray(0, 65536));
        waiting = waiting.subarray(65536);
      }, 100);`;
    const access = await localKubectl({
      before: `exec '${process.execPath}' -e "$(cat <<'E'\n${losing}\nE\n)" -- "$@"`,
    });
    const source = streamFromPod(access, localPod, ['head', '-c', '1000000', '/dev/urandom']);
    const bytes = await drain(source.bytes);

    expect(bytes.byteLength).toBe(1_000_000);
    expect(await source.end()).toMatchObject({ exitCode: 0, statusSeen: true, digestSha256: sha256(bytes) });
  });

  it('gives the command its input and nothing else', async () => {
    const given = streamFromPod(await localKubectl(), localPod, ['cat'], undefined, undefined, 'two\nlines\n');
    expect((await drain(given.bytes)).toString()).toBe('two\nlines\n');
    expect(await given.end()).toMatchObject({ exitCode: 0, digestSha256: sha256('two\nlines\n') });

    const none = streamFromPod(await localKubectl(), localPod, ['cat']);
    expect((await drain(none.bytes)).byteLength).toBe(0);
    expect(await none.end()).toMatchObject({ exitCode: 0, digestSha256: sha256('') });
  });

  it('passes on what looks like its last line and is none', async () => {
    const script =
      'for n in 1 2 3; do printf "\\n"; sleep 0.05; printf "lifeboat-"; sleep 0.05; done; printf "\\nlifeboat-0 end\\n"';
    const source = streamFromPod(await localKubectl(), localPod, ['sh', '-c', script]);

    expect((await drain(source.bytes)).toString()).toBe(`${'\nlifeboat-'.repeat(3)}\nlifeboat-0 end\n`);
    await source.end();
  });

  it('keeps what the command wrote for a reader who comes after its end', async () => {
    const source = streamFromPod(await localKubectl(), localPod, ['echo', 'early']);
    await new Promise((resolve) => setTimeout(resolve, 1_500));

    expect((await drain(source.bytes)).toString()).toBe('early\n');
    expect(await source.end()).toMatchObject({ exitCode: 0, digestSha256: sha256('early\n') });
  });

  it('can be piped', async () => {
    const source = streamFromPod(await localKubectl(), localPod, ['seq', '1', '100000']);
    const through = new PassThrough();
    const [bytes] = await Promise.all([drain(through), pipeline(source.bytes, through)]);

    expect(await source.end()).toMatchObject({ exitCode: 0, digestSha256: sha256(bytes) });
  }, 20_000);

  it('tells the exit code and the last line of a command that fails', async () => {
    const source = streamFromPod(await localKubectl(), localPod, [
      'sh',
      '-c',
      'echo half; echo disk on fire >&2; exit 7',
    ]);
    await drain(source.bytes);

    expect(await source.end()).toMatchObject({ exitCode: 7, lastLine: 'disk on fire' });
  });

  it('hands each line of stderr on and keeps the chatter out of messages', async () => {
    const seen: string[] = [];
    const source = streamFromPod(
      await localKubectl(),
      localPod,
      ['sh', '-c', 'echo "-- table secret_plans" >&2; echo real trouble >&2; exit 2'],
      undefined,
      (line) => {
        seen.push(line);
        return line.startsWith('-- ');
      },
    );
    await drain(source.bytes);

    expect((await source.end()).lastLine).toBe('real trouble');
    expect(seen).toContain('-- table secret_plans');
  });

  it('takes the word of the pod where kubectl lost its connection after it', async () => {
    const access = await localKubectl({
      after: 'echo "error: error reading from error stream: connection reset by peer" >&2; code=1',
    });
    const source = streamFromPod(access, localPod, ['echo', 'whole']);
    const bytes = await drain(source.bytes);

    expect(await source.end()).toMatchObject({ exitCode: 0, statusSeen: true, digestSha256: sha256(bytes) });
  });

  it('has no status where the connection was cut', async () => {
    const source = streamFromPod(await localKubectl({ before: 'exec head -c 100 /dev/zero' }), localPod, ['true']);
    await drain(source.bytes);

    expect(await source.end()).toMatchObject({ exitCode: null, statusSeen: false });
  });
});

describe('streamToPod', () => {
  it('returns what the command said once it got every byte', async () => {
    const { stdout } = await streamToPod(await localKubectl(), localPod, ['wc', '-c'], of('abc', 'defg'), {
      sha256: sha256('abcdefg'),
    });

    expect(stdout.trim()).toBe('7');
  });

  it('refuses bytes that are not the stored ones', async () => {
    await expect(
      streamToPod(await localKubectl(), localPod, ['cat'], of('abc'), { sha256: sha256('abd') }),
    ).rejects.toMatchObject({ code: 'RestoreFailed' });
  });

  it('refuses a stdin that arrived cut, which the command took for its end', async () => {
    const access = await localKubectl({ before: 'exec head -c 2 | "$@"; exit' });

    await expect(streamToPod(access, localPod, ['cat'], of('abc'), {})).rejects.toMatchObject({
      code: 'RestoreFailed',
    });
  });

  it('passes on what reading the stream throws', async () => {
    const broken = (async function* () {
      yield await Promise.resolve(Buffer.from('abc'));
      throw new Error('damaged');
    })();

    await expect(streamToPod(await localKubectl(), localPod, ['cat'], broken, {})).rejects.toThrow('damaged');
  });
});

describe('runInPod', () => {
  it("keeps kubectl's own last word out of what the command said", async () => {
    const access = await localKubectl({ after: 'echo "command terminated with exit code $code" >&2' });
    const { exitCode, stderr } = await runInPod(access, localPod, ['sh', '-c', 'echo why >&2; exit 3']);

    expect(exitCode).toBe(3);
    expect(stderr.trim()).toBe('why');
  });

  it('leaves a missing tool to the caller, and says PodGone for a pod that went away', async () => {
    const missing = await localKubectl({
      before:
        'echo \'error: Internal error occurred: exec: "psql": executable file not found in $PATH: unknown\' >&2; exit 1',
    });
    const gone = await localKubectl({
      before: 'echo \'Error from server (NotFound): pods "here-0" not found\' >&2; exit 1',
    });

    expect((await runInPod(missing, localPod, ['psql'])).exitCode).toBe(1);
    await expect(runInPod(gone, localPod, ['psql'])).rejects.toMatchObject({ code: 'PodGone' });
  });
});

describe('readPodClock', () => {
  it('reads the instant in UTC', async () => {
    const instant = await readPodClock(await localKubectl(), localPod);

    expect(Math.abs(Date.now() - Date.parse(instant))).toBeLessThan(5_000);
  });
});
