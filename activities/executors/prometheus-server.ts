import { z } from 'zod';
import { failure } from '../../model/failures.ts';
import type { ClusterAccess } from '../clients/kubectl.ts';
import { lastLine } from '../clients/process.ts';
import { askPodForJson, type HttpServer } from './http.ts';
import { runInPod } from './pod-exec.ts';

/** Writing the samples of the last hours as a block takes as long as a compaction. */
const snapshotWithinMs = 10 * 60_000;

const Flags = z.object({ data: z.record(z.string(), z.string()) });
const Snapshot = z.object({ data: z.object({ name: z.string().regex(/^[0-9]{8}T[0-9]{6}Z-[0-9a-f]+$/) }) });

/**
 * Deletes the snapshots of an attempt whose names nobody knows, because it was killed. The server names a snapshot itself,
 * by its time: one of the time that the note tells, and that was not there before, is ours.
 */
const sweep = `
note=.lifeboat-snapshot
if [ -f $note ]; then
  from=$(sed -n 1p $note) to=$(sed -n 2p $note)
  for path in snapshots/*; do
    name=\${path##*/}
    time=\${name%%-*}
    if [ ! -d "$path" ] || sed 1,2d $note | grep -qxF -e "$name"; then continue; fi
    if expr "$time" '>=' "$from" >/dev/null && expr "$time" '<=' "$to" >/dev/null; then rm -rf "$path"; fi
  done
fi
`;

/** Notes that a snapshot is about to be made: from when, until when at most, and which others are there. Argument: directory. */
const announceScript = `
set -eu
cd "$1"
command -v tar >/dev/null || { echo "tar: executable file not found in the image" >&2; exit 127; }
${sweep}
{
  date -u +%Y%m%dT%H%M%SZ
  date -u -d "@$(($(date +%s) + 600))" +%Y%m%dT%H%M%SZ
  ls snapshots 2>/dev/null || :
} >$note.new
mv $note.new $note
`;

/**
 * Deletes a snapshot and the note of it. Where its name never arrived the note stays, for the next capture: the server
 * may still be at it. Arguments: directory, name or nothing.
 */
const removeScript = `
set -eu
cd "$1"
${sweep}
if [ -n "$2" ]; then rm -rf "snapshots/$2" $note; fi
rmdir snapshots 2>/dev/null || :
`;

/** Streams a snapshot as a tar, and deletes it when it ends, also because nobody reads it any more. */
const archiveScript = `
trap 'rm -rf "$1/snapshots/$2"' EXIT
trap 'exit 143' TERM INT HUP PIPE
tar -C "$1/snapshots/$2" -cf - .
`;

/** A snapshot of a Prometheus server in its own data directory. */
export type PrometheusSnapshot = {
  readonly name: string;
  /** By the server's clock. */
  readonly capturedAt: string;
  /** Writes it as a tar to stdout; when it ends the snapshot is gone. */
  readonly command: readonly string[];
};

/**
 * Has a Prometheus server make a snapshot of all its blocks and of what it has in memory, and deletes it when `use` ends,
 * however it ends; one that a killed worker left is deleted by its own stream's end, or by the next capture.
 * @throws ApiDisabled, BindingFailed where its data lies elsewhere, CaptureToolMissing, DiskFull, what `askPod` throws
 */
export async function withSnapshot<T>(
  server: HttpServer,
  access: ClusterAccess,
  directory: string,
  use: (snapshot: PrometheusSnapshot) => Promise<T>,
): Promise<T> {
  await requireAdminApi(server, directory);
  await runScript(server, access, announceScript, [directory]);
  let name = '';
  try {
    const { json } = await askPodForJson(server, {
      verb: 'make snapshot',
      method: 'POST',
      path: '/api/v1/admin/tsdb/snapshot',
      timeoutMs: snapshotWithinMs,
    });
    name = read(Snapshot, json, 'make snapshot').data.name;
    const command = ['sh', '-c', archiveScript, 'sh', directory, name];
    return await use({ name, capturedAt: timeOf(name), command });
  } finally {
    await runScript({ ...server, signal: new AbortController().signal }, access, removeScript, [directory, name]).catch(
      () => undefined,
    );
  }
}

async function requireAdminApi(server: HttpServer, directory: string): Promise<void> {
  const { json } = await askPodForJson(server, { verb: 'read flags', path: '/api/v1/status/flags' });
  const { data } = read(Flags, json, 'read flags');
  if (data['web.enable-admin-api'] !== 'true')
    throw failure('ApiDisabled', {
      message: `make snapshot: the admin API of ${server.pod.pod} is off, it runs without --web.enable-admin-api`,
    });
  const path = data['storage.tsdb.path']?.replace(/\/+$/, '');
  if (path !== directory)
    throw failure('BindingFailed', {
      message: `make snapshot: the plan looks for the data in ${directory}, the server keeps it in ${String(path)}`,
    });
}

function read<T>(schema: z.ZodType<T>, json: unknown, verb: string): T {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw failure('ApiFailed', { message: `${verb}: the answer is not that of a Prometheus server` });
}

/** `20261125T140203Z-4f…` */
function timeOf(name: string): string {
  const [, year, month, day, hour, minute, second] =
    /^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z/.exec(name) ?? [];
  return `${String(year)}-${String(month)}-${String(day)}T${String(hour)}:${String(minute)}:${String(second)}.000Z`;
}

async function runScript(
  { pod, signal }: HttpServer,
  access: ClusterAccess,
  script: string,
  args: readonly string[],
): Promise<void> {
  const { exitCode, stderr } = await runInPod(access, pod, ['sh', '-c', script, 'sh', ...args], { signal });
  if (exitCode === 0) return;
  const message = `make snapshot: ${lastLine(stderr)}`;
  if (exitCode === 127 || /executable file not found/.test(stderr)) throw failure('CaptureToolMissing', { message });
  throw failure(/No space left on device/.test(stderr) ? 'DiskFull' : 'DumpFailed', { message });
}
