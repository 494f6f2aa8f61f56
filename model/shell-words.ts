/** A command as words of a shell, whatever is in them. */
export function shellWords(command: readonly string[]): string {
  return command.map((word) => (/^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
