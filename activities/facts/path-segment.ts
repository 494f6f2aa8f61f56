/**
 * Bytes of a name as part of a path of facts: readable text stays, and what is a control character, `%`, or not UTF-8
 * becomes `%XX`, so that two names never share a path. A `/` is kept where `slash` says so.
 */
export function pathSegment(name: Uint8Array | string, slash: 'keep' | 'escape' = 'escape'): string {
  const bytes =
    typeof name === 'string' ? Buffer.from(name, 'utf8') : Buffer.from(name.buffer, name.byteOffset, name.byteLength);
  const text = bytes.toString('utf8');
  const isText = typeof name === 'string' || Buffer.from(text, 'utf8').equals(bytes);
  if (!isText)
    return [...bytes]
      .map((byte) => (byte >= 0x80 || isSpecial(byte, slash) ? escaped(byte) : String.fromCharCode(byte)))
      .join('');

  return text.replace(slash === 'keep' ? /[\u0000-\u001f\u007f%]/g : /[\u0000-\u001f\u007f%/]/g, (character) =>
    escaped(character.charCodeAt(0)),
  );
}

/** The name that a path segment of text stands for. */
export function fromPathSegment(segment: string): string {
  return segment.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The bytes of the name or path that a path of facts stands for. */
export function pathBytes(segment: string): Buffer {
  const parts = segment.split(/%([0-9A-F]{2})/);
  return Buffer.concat(
    parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : Buffer.from([Number.parseInt(part, 16)]))),
  );
}

function isSpecial(byte: number, slash: 'keep' | 'escape'): boolean {
  return byte < 0x20 || byte === 0x7f || byte === 0x25 || (byte === 0x2f && slash === 'escape');
}

function escaped(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
