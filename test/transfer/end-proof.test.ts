import { describe, expect, it } from 'vitest';
import { proveEnd, type StreamEnd } from '../../transfer/end-proof.ts';
import type { EndReport } from '../../transfer/source.ts';
import { sha256 } from './test-sources.ts';

const bytes = Buffer.from('a dump');
const end = (report: Partial<EndReport> = {}, more: Partial<StreamEnd> = {}): StreamEnd => ({
  name: 'db.dump',
  report: { exitCode: 0, statusSeen: true, trailerSeen: false, ...report },
  plainBytes: bytes.byteLength,
  plainSha256: sha256(bytes),
  trailer: undefined,
  minimumProofs: [],
  ...more,
});

describe('proveEnd', () => {
  it('states every proof that was given, and no other', () => {
    const none = { status: false, trailer: false, count: false, digest: false };
    expect(proveEnd(end({ exitCode: null, statusSeen: false }))).toEqual(none);
    expect(proveEnd(end())).toEqual({ ...none, status: true });
    expect(proveEnd(end({ exitCode: null, statusSeen: true }))).toEqual(none);
    expect(proveEnd(end({ exitCode: 0, statusSeen: false }))).toEqual(none);
    expect(proveEnd(end({ trailerSeen: true }))).toMatchObject({ trailer: true });
    expect(proveEnd(end({}, { trailer: { end: 'whole' } }))).toMatchObject({ trailer: true });
    expect(proveEnd(end({ countBytes: 6 }))).toMatchObject({ count: true, digest: false });
    expect(proveEnd(end({ digestSha256: sha256(bytes) }))).toMatchObject({ count: false, digest: true });
  });

  it('believes the bytes more than the source where a format is known', () => {
    const unknown = { end: 'unknown', reason: 'it is newer' } as const;
    expect(proveEnd(end({ trailerSeen: true }, { trailer: unknown }))).toMatchObject({ trailer: false });
  });

  it.each([
    ['an exit code', end({ exitCode: 1, lastLine: 'it broke' }), 'DumpFailed', 'capture db.dump: exit 1, it broke'],
    ['an exit code without a word', end({ exitCode: 137, lastLine: '' }), 'DumpFailed', 'capture db.dump: exit 137'],
    ['an exit code and nothing else', end({ exitCode: 2 }), 'DumpFailed', 'capture db.dump: exit 2'],
    [
      'a count of more bytes',
      end({ countBytes: 7 }),
      'DumpEndedEarly',
      'capture db.dump: the source counted 7 bytes, 6 arrived',
    ],
    [
      'a count of nothing',
      end({ countBytes: 0 }),
      'DumpEndedEarly',
      'capture db.dump: the source counted 0 bytes, 6 arrived',
    ],
    [
      'another digest',
      end({ digestSha256: sha256(Buffer.from('other')) }),
      'DumpEndedEarly',
      'capture db.dump: the 6 bytes that arrived are not the ones that the source hashed',
    ],
    [
      'a trailer that contradicts',
      end({ trailerSeen: true }, { trailer: { end: 'cut', reason: 'the end is missing' } }),
      'DumpEndedEarly',
      'capture db.dump: after 6 bytes the end is missing',
    ],
  ] as const)('is not satisfied by %s, whatever the plan demands', (_, of, code, message) => {
    expect(() => proveEnd(of)).toThrow(expect.objectContaining({ code, message }));
  });

  it.each([
    [126, 'sh: /bin/tool: Permission denied', 'CaptureToolMissing'],
    [127, 'sh: tool: not found', 'CaptureToolMissing'],
    [1, 'exec: "tool": Executable file not found in $PATH', 'CaptureToolMissing'],
    [1, 'tar: write error: No space left on device', 'DiskFull'],
    [127, 'no space left on device', 'DiskFull'],
    [128, 'something else', 'DumpFailed'],
  ])('tells by exit %i and %j what was wrong with the command: %s', (exitCode, lastLine, code) => {
    const message = `capture db.dump: exit ${String(exitCode)}, ${lastLine}`;
    expect(() => proveEnd(end({ exitCode, lastLine }))).toThrow(expect.objectContaining({ code, message }));
  });

  it('demands the proofs of the plan, and names those that are missing', () => {
    const demanded = { minimumProofs: ['status', 'count', 'digest'] } as const;
    expect(proveEnd(end({ countBytes: 6, digestSha256: sha256(bytes) }, demanded))).toMatchObject({ status: true });
    expect(() => proveEnd(end({ exitCode: null, countBytes: 6 }, demanded))).toThrow(
      expect.objectContaining({
        code: 'DumpEndedEarly',
        message: 'capture db.dump: the stream ended after 6 bytes without its proof of status and digest',
      }),
    );
  });

  it('says why a demanded trailer is not known, and only then', () => {
    const trailer = { end: 'unknown', reason: 'it is newer' } as const;
    const early = (minimumProofs: StreamEnd['minimumProofs'], given: StreamEnd['trailer']) => () =>
      proveEnd(end({}, { minimumProofs, trailer: given }));
    expect(early(['trailer'], trailer)).toThrow(/without its proof of trailer, it is newer$/);
    expect(early(['trailer'], undefined)).toThrow(/without its proof of trailer$/);
    expect(early(['digest'], trailer)).toThrow(/without its proof of digest$/);
  });
});
