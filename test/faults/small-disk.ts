import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { applyObjects, kubectl } from '../../sandbox/platform/kubectl.ts';
import type { Sandbox } from '../../sandbox/sandbox.ts';

const name = 'faults-disk';
const size = '24Mi';

/** A disk of 24 MiB that a claim of the storage class `faults-disk` is bound to. */
export type SmallDisk = {
  readonly storageClass: string;
  readonly size: string;
  /** Writes a file that leaves so many bytes free. */
  fill(leave: number): Promise<void>;
  /** Removes that file. */
  empty(): Promise<void>;
  /** Takes the disk away; no pod may use it any more. */
  remove(): Promise<void>;
};

/** Mounts a tmpfs on this machine, which is the node, and makes it a volume of the cluster. */
export async function makeSmallDisk(sandbox: Sandbox): Promise<SmallDisk> {
  const path = join(tmpdir(), 'lifeboat-faults-disk');
  const filler = join(path, 'filler');
  const remove = async (): Promise<void> => {
    await kubectl(sandbox, ['delete', 'persistentvolume', name, '--ignore-not-found', '--timeout=60s']);
    await promisify(execFile)('umount', [path]).catch(() => undefined);
    await rm(path, { recursive: true, force: true });
  };
  await remove();
  await mkdir(path);
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${size.replace('Mi', 'm')}`, name, path]);
  await chmod(path, 0o777);
  await applyObjects(sandbox, [
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec: {
        capacity: { storage: size },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: name,
        hostPath: { path, type: 'Directory' },
      },
    },
  ]);
  return {
    storageClass: name,
    size,
    fill: async (leave) => {
      const { bavail, bsize } = await statfs(path);
      await writeFile(filler, Buffer.alloc(bavail * bsize - leave));
    },
    empty: async () => {
      await rm(filler, { force: true });
    },
    remove,
  };
}
