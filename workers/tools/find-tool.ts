import { constants, realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { runProcess } from '../../activities/clients/process.ts';
import { cacheDirectory } from './cache-directory.ts';
import { fileExists } from './file-exists.ts';
import { installTool } from './install-tool.ts';
import { type Tool, type ToolName, tools } from './tool-table.ts';

/** Says what is being done, one line at a time. */
export type Progress = (line: string) => void;

/** Where installed tools are kept. */
export function toolCache(): string {
  return join(cacheDirectory(), 'tools');
}

/** The path of a tool on PATH in a fitting version, or in the cache; undefined where there is neither. */
export async function locateTool(name: ToolName): Promise<string | undefined> {
  return (await locateOnPath(tools[name])) ?? (await locateCached(name));
}

/** The path of a tool in the cache, whatever PATH has; undefined where it is not there. */
export async function locateCached(name: ToolName): Promise<string | undefined> {
  const cached = cachedPath(name, tools[name]);
  return (await fileExists(cached, constants.X_OK)) ? cached : undefined;
}

/**
 * The path of a tool, which is installed into the cache when it is missing. Safe with two processes at once: each
 * installs beside the cache and the first rename wins.
 * @throws ToolMissing when no way works, or when what came is not what is pinned
 */
export async function findTool(name: ToolName, progress: Progress = () => undefined): Promise<string> {
  return (await locateOnPath(tools[name])) ?? (await findCached(name, progress));
}

/** The same, whatever PATH has. @throws ToolMissing */
export async function findCached(name: ToolName, progress: Progress): Promise<string> {
  const located = await locateCached(name);
  if (located !== undefined) return located;
  const tool = tools[name];
  const path = cachedPath(name, tool);
  await installTool(name, tool, path, { progress, compiler: () => findTool('go', progress) });
  return path;
}

function cachedPath(name: ToolName, tool: Tool): string {
  return join(toolCache(), name, tool.version, tool.member ?? name);
}

/** A tool that PATH has. */
export type ToolOnPath = {
  readonly path: string;
  readonly version: string /** As the table of tools wants it. */;
  readonly fits: boolean;
};

/** Each of a tool on PATH, in its order; those whose version cannot be read are left out. */
export async function listOnPath(name: ToolName): Promise<ToolOnPath[]> {
  const all: ToolOnPath[] = [];
  for await (const each of eachOnPath(tools[name])) all.push(each);
  return all;
}

async function locateOnPath(tool: Tool): Promise<string | undefined> {
  for await (const { path, fits } of eachOnPath(tool)) if (fits) return path;
  return undefined;
}

async function* eachOnPath({ onPath, versionArgs, fits }: Tool): AsyncGenerator<ToolOnPath> {
  if (onPath === undefined || versionArgs === undefined || fits === undefined) return;
  const seen = new Set<string>();
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, onPath);
    if (directory === '' || !(await fileExists(path, constants.X_OK))) continue;
    // One directory is a link to another on many systems.
    const real = await realpath(path);
    if (seen.has(real)) continue;
    seen.add(real);
    const version = await readVersion(path, versionArgs);
    if (version !== undefined) yield { path, version: version.text, fits: fits(version.major, version.minor) };
  }
}

async function readVersion(
  path: string,
  args: readonly string[],
): Promise<{ text: string; major: number; minor: number } | undefined> {
  const result = await runProcess({ file: path, args, timeoutMs: 10_000 }).catch(() => undefined);
  const match = /v?((\d+)\.(\d+)\.\d+)/.exec(result?.exitCode === 0 ? result.stdout : '');
  return match === null ? undefined : { text: match[1] ?? '', major: Number(match[2]), minor: Number(match[3]) };
}
