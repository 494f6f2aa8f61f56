import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { failure } from '../model/failures.ts';
import { nameAllowedKeys } from '../model/name-allowed-keys.ts';
import { Platform } from '../model/platform.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import { parseRecoveryKit } from '../transfer/keys.ts';

/** lifeboat.yaml as it was read. */
export type LoadedPlatform = {
  readonly platform: Platform;
  readonly text: string;
  readonly digest: string;
  readonly directory: string;
  readonly path: string;
};

/** The path of lifeboat.yaml: what was asked for, LIFEBOAT_CONFIG, or ./lifeboat.yaml. */
export function configPath(asked: string | undefined): string {
  return resolve(asked ?? process.env['LIFEBOAT_CONFIG'] ?? 'lifeboat.yaml');
}

/** The path of the recovery kit: what was asked for, LIFEBOAT_KEY, or ./recovery-kit.json. */
export function kitPath(asked: string | undefined): string {
  return resolve(asked ?? process.env['LIFEBOAT_KEY'] ?? 'recovery-kit.json');
}

/** Reads lifeboat.yaml. @throws ConfigInvalid listing every problem */
export async function loadPlatform(path: string): Promise<LoadedPlatform> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw failure('ConfigInvalid', { message: `read ${path}: ${describeReadError(error)}`, cause: error });
  });
  return parsePlatform(text, path);
}

/** Parses the text of a lifeboat.yaml; relative paths in it start from the folder of `path`. @throws ConfigInvalid */
export function parsePlatform(text: string, path: string): LoadedPlatform {
  let document: unknown;
  try {
    document = parseYaml(text);
  } catch (error) {
    throw failure('ConfigInvalid', {
      message: `read ${path}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`,
    });
  }
  const parsed = Platform.safeParse(document, { error: nameAllowedKeys });
  if (!parsed.success) throw failure('ConfigInvalid', { message: `read ${path}: ${z.prettifyError(parsed.error)}` });
  return {
    platform: parsed.data,
    text,
    digest: createHash('sha256').update(text).digest('hex'),
    directory: dirname(path),
    path,
  };
}

/** Reads a recovery kit. @throws KeyMissing, KeyInvalid */
export async function loadKit(path: string): Promise<RecoveryKit> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw failure('KeyMissing', { message: `read recovery kit ${path}: ${describeReadError(error)}`, cause: error });
  });
  return await parseRecoveryKit(text);
}

function describeReadError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  return error instanceof Error ? error.message : String(error);
}
