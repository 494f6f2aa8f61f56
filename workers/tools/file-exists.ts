import { access, constants } from 'node:fs/promises';

/** Whether a file or folder is there; with `X_OK` whether it can be run. */
export async function fileExists(path: string, mode: number = constants.F_OK): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}
