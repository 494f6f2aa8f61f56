import { createHash } from 'node:crypto';
import { failure } from '../model/failures.ts';
import type { RecoveryKit } from '../model/recovery-kit.ts';
import {
  type Artifact,
  artifactsOf,
  type ComponentRecord,
  type Manifest,
  type Segment,
} from '../model/recovery-point.ts';
import { type ReleaseName, releaseTitle } from '../model/release-name.ts';
import { shellWords } from '../model/shell-words.ts';
import { keyFingerprint, signBytes } from './keys.ts';
import { pointPrefix } from './point-names.ts';
import type { Store } from './store.ts';

/** What a restore guide tells of. */
export type GuideSubject = {
  readonly release: ReleaseName;
  readonly point: string;
  readonly capturedAt: string;
  /** In restore order. */
  readonly components: readonly ComponentRecord[];
  readonly plan: Artifact;
};

/**
 * The text of RESTORE.md: how a point is checked and restored with sha256sum, openssl, age and zstd alone. Its blocks of
 * bash are run by a test. Nothing is fed to a database before every stored byte was compared.
 */
export function restoreGuideText(
  of: GuideSubject & {
    readonly storeAddress: string;
    readonly endpoint?: string | undefined;
    readonly region?: string | undefined;
    readonly publicKey: string;
  },
): string {
  const prefix = pointPrefix(of.release, of.point);
  const components = of.components.map((component) => componentSection(component, prefix)).join('\n');
  return `# Restore ${releaseTitle(of.release)} from ${of.point} without Lifeboat

Captured at ${of.capturedAt} (UTC) on the cluster ${of.release.cluster}. You need this folder, the recovery kit, and bash,
coreutils, openssl 3, age and zstd; the lines of section 5 call what they name, as kubectl, helm and jq, and mean the cluster that
kubectl means. Run the blocks in this order, in one shell, in an empty directory.

## 1. Fetch the point

\`\`\`bash
set -euo pipefail
umask 077
${fetchCommand(of, prefix)}
cd point
\`\`\`

## 2. Check that this text and the list of digests are the ones that were signed

The key must be the one of your recovery kit; its fingerprint is ${keyFingerprint(of.publicKey)}. A copy of the key that lies
beside the data proves nothing.

\`\`\`bash
: "\${KIT:?set KIT to the path of the recovery kit}"
sed -n 's/.*"publicKey": "\\(.*\\)".*/\\1/p' "$KIT" | sed 's/\\\\n/\\n/g' > ../signing-key.pem
openssl pkeyutl -verify -pubin -inkey ../signing-key.pem -rawin -in RESTORE.md -sigfile RESTORE.md.sig
\`\`\`

## 3. Check every stored byte, before anything is restored

\`\`\`bash
sha256sum --check --strict --quiet <<'SHA256SUMS'
${checksumLines(of, prefix)}SHA256SUMS
\`\`\`

## 4. Open the artifacts

\`open_artifact\` writes the plaintext of its segments to stdout, \`check_artifact\` compares it with the captured digest.

\`\`\`bash
sed -n 's/.*"identity": "\\(.*\\)".*/\\1/p' "$KIT" > ../key.txt
open_artifact() { local segment; for segment in "$@"; do age -d -i ../key.txt "$segment" | zstd -d -c || return 1; done; }
check_artifact() { local digest=$1; shift; test "$(open_artifact "$@" | sha256sum)" = "$digest  -"; }
\`\`\`

## 5. Restore, component by component, in this order

Each block checks the whole artifact first, and only then feeds it to the command that restores it.

${components}
## 6. The plan of the capture, and clean up

\`\`\`bash
${checkLine(of.plan, prefix)}
${openLine(of.plan, prefix)} > ../plan.json
rm -f ../key.txt
\`\`\`
`;
}

/** What a guide is made of. */
type GuideToKeep = GuideSubject & { readonly store: Store; readonly kit: RecoveryKit };

/**
 * Writes RESTORE.md, its detached ed25519 signature (RESTORE.md.sig) and the list of digests (SHA256SUMS) into the point's
 * folder. Idempotent because: the same point gives the same text, and an ed25519 signature of it is always the same.
 * @returns what the manifest says of it
 */
export async function writeRestoreGuide(of: GuideToKeep): Promise<Manifest['restoreGuide']> {
  const { key, text, signature, objects } = guideObjects(of);
  for (const [name, bytes] of objects) await putProven(of.store, name, bytes);
  return { key, sha256: createHash('sha256').update(text).digest('hex'), signature: signature.toString('base64') };
}

/** Writes those objects of a guide again that are others than its point gives. */
export async function keepRestoreGuide(of: GuideToKeep): Promise<void> {
  for (const [name, bytes] of guideObjects(of).objects)
    if (!bytes.equals(await of.store.get(name))) await of.store.put(name, bytes);
}

/** The objects of a guide, RESTORE.md last. */
function guideObjects(of: GuideToKeep): {
  key: string;
  text: Buffer;
  signature: Buffer;
  objects: readonly (readonly [string, Buffer])[];
} {
  const { store, kit } = of;
  const prefix = pointPrefix(of.release, of.point);
  const key = `${prefix}/RESTORE.md`;
  const text = Buffer.from(
    restoreGuideText({
      ...of,
      storeAddress: store.address,
      endpoint: kit.store.endpoint,
      region: kit.store.region,
      publicKey: kit.signing.publicKey,
    }),
  );
  const signature = signBytes(kit, text);
  const sums = Buffer.from(checksumLines(of, prefix));
  return {
    key,
    text,
    signature,
    objects: [
      [`${prefix}/SHA256SUMS`, sums],
      [`${key}.sig`, signature],
      [key, text],
    ],
  };
}

/** Writes an object and reads it back. @throws ArtifactDigestMismatch where the store has other bytes */
async function putProven(store: Store, key: string, bytes: Buffer): Promise<void> {
  await store.put(key, bytes);
  if (bytes.equals(await store.get(key))) return;
  throw failure('ArtifactDigestMismatch', { message: `read back ${key}: it is not what was written` });
}

function fetchCommand(
  {
    storeAddress: address,
    endpoint,
    region,
  }: Pick<Parameters<typeof restoreGuideText>[0], 'storeAddress' | 'endpoint' | 'region'>,
  prefix: string,
): string {
  if (!address.startsWith('s3://'))
    return shellWords(['cp', '-r', `${address.replace(/^file:\/\//, '')}/${prefix}`, 'point']);
  const options = [
    ...(endpoint === undefined ? [] : ['--endpoint-url', endpoint]),
    ...(region === undefined ? [] : ['--region', region]),
  ];
  return shellWords(['aws', ...options, 's3', 'cp', '--recursive', `${address}/${prefix}`, 'point']);
}

function checksumLines(of: GuideSubject, prefix: string): string {
  const segments = artifactsOf(of).flatMap((artifact) => artifact.segments);
  return segments.map((segment) => `${segment.storedSha256}  ${fileOf(segment, prefix)}\n`).join('');
}

function componentSection(component: ComponentRecord, prefix: string): string {
  const artifacts = component.artifacts.map((artifact) => artifactBlock(artifact, prefix)).join('\n');
  return `### ${component.component} (${component.method}, captured at ${component.capturedAt})

${artifacts}
The facts to compare with after the restore:

\`\`\`bash
${checkLine(component.facts, prefix)}
${openLine(component.facts, prefix)} > ../${shellWords([`${component.component}.facts.json`])}
\`\`\`
`;
}

function artifactBlock(artifact: Artifact, prefix: string): string {
  const command = artifact.restoreCommand.trim();
  const feed =
    command === '' || command.startsWith('#')
      ? `${command}\n${openLine(artifact, prefix)} > ../${shellWords([artifact.name])}`
      : `${openLine(artifact, prefix)} | ${command}`;
  return `${artifact.name}: ${String(artifact.plainBytes)} bytes.

\`\`\`bash
${checkLine(artifact, prefix)}
${feed.trim()}
\`\`\`
`;
}

function checkLine(artifact: Artifact, prefix: string): string {
  return `check_artifact ${artifact.plainSha256} ${filesOf(artifact, prefix)}`;
}

function openLine(artifact: Artifact, prefix: string): string {
  return `open_artifact ${filesOf(artifact, prefix)}`;
}

function filesOf(artifact: Artifact, prefix: string): string {
  return shellWords(artifact.segments.map((segment) => fileOf(segment, prefix)));
}

function fileOf(segment: Segment, prefix: string): string {
  if (!segment.key.startsWith(`${prefix}/`))
    throw new Error(`segment ${segment.key} does not lie in the folder of its point, ${prefix}`);
  return segment.key.slice(prefix.length + 1);
}
