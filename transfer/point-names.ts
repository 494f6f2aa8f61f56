import { randomBytes } from 'node:crypto';
import { type ReleaseName, releasePath } from '../model/release-name.ts';

const alphabet = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** A new point id: UTC basic time and six random characters, `20261123T224107Z-k3x9qa`. */
export function newPointId(now: Date = new Date(), random: Uint8Array = randomBytes(6)): string {
  const time = now.toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
  return `${time}-${Array.from(random.subarray(0, 6), (byte) => alphabet.charAt(byte % alphabet.length)).join('')}`;
}

/** When a point id was made, in milliseconds since 1970. */
export function pointTime(id: string): number {
  return Date.parse(id.slice(0, 16).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

/** Folder of a point's objects. */
export function pointPrefix(release: ReleaseName, id: string): string {
  return `points/${releasePath(release)}/${id}`;
}

/** Folder of a release's chain of manifests. */
export function manifestFolder(release: ReleaseName): string {
  return `manifests/${releasePath(release)}`;
}

/** Folder of a platform's chain of platform points. */
export function platformFolder(platform: string): string {
  return `platforms/${platform}`;
}

/** Folder of the verifications of a release, with a folder for each point. */
export function verificationsFolder(release: ReleaseName): string {
  return `verifications/${releasePath(release)}`;
}

/** Folder of a point's verifications. */
export function verificationFolder(release: ReleaseName, point: string): string {
  return `${verificationsFolder(release)}/${point}`;
}

/** Folder of what holds the points of a release. */
export function holdFolder(release: ReleaseName): string {
  return `holds/${releasePath(release)}`;
}

/** Folder of the tombstones of a release. */
export function tombstoneFolder(release: ReleaseName): string {
  return `tombstones/${releasePath(release)}`;
}
