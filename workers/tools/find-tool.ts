import { constants } from 'node:fs/promises';
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
  const tool = tools[name];
  const onPath = await locateOnPath(tool);
  if (onPath !== undefined) return onPath;
  const cached = cachedPath(name, tool);
  return (await fileExists(cached, constants.X_OK)) ? cached : undefined;
}

/**
 * The path of a tool, which is installed into the cache when it is missing. Safe with two processes at once: each
 * installs beside the cache and the first rename wins.
 * @throws ToolMissing when no way works, or when what came is not what is pinned
 */
export async function findTool(name: ToolName, progress: Progress = () => undefined): Promise<string> {
  const located = await locateTool(name);
  if (located !== undefined) return located;
  const tool = tools[name];
  const path = cachedPath(name, tool);
  await installTool(name, tool, path, { progress, compiler: () => findTool('go', progress) });
  return path;
}

function cachedPath(name: ToolName, tool: Tool): string {
  return join(toolCache(), name, tool.version, tool.member ?? name);
}

async function locateOnPath(tool: Tool): Promise<string | undefined> {
  const { onPath, versionArgs, fits } = tool;
  if (onPath === undefined || versionArgs === undefined || fits === undefined) return undefined;
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, onPath);
    if (directory === '' || !(await fileExists(path, constants.X_OK))) continue;
    const version = await readVersion(path, versionArgs);
    if (version !== undefined && fits(version.major, version.minor)) return path;
  }
  return undefined;
}

async function readVersion(
  path: string,
  args: readonly string[],
): Promise<{ major: number; minor: number } | undefined> {
  const result = await runProcess({ file: path, args, timeoutMs: 10_000 }).catch(() => undefined);
  const match = /v?(\d+)\.(\d+)\.\d+/.exec(result?.exitCode === 0 ? result.stdout : '');
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}
