import { styleText } from 'node:util';

/** Where the command writes: results on stdout, progress on stderr. */
export type Terminal = {
  readonly json: boolean;
  readonly live: boolean;
  /** A result, on stdout. */
  print(text: string): void;
  /** One JSON document, on stdout. */
  printJson(value: unknown): void;
  /** Progress, on stderr. */
  note(text: string): void;
  /** Replaces what the last call drew, on a terminal; without one it does nothing. */
  draw(lines: readonly string[]): void;
  paint(colour: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string): string;
};

/** The terminal of this process. Colour only adds: NO_COLOR, pipes and CI get plain text. */
export function openTerminal(options: { json: boolean }): Terminal {
  const plain = process.env['NO_COLOR'] !== undefined || process.env['CI'] !== undefined;
  const live = process.stderr.isTTY && !plain && !options.json;
  const coloured = process.stdout.isTTY && !plain;
  let drawn = 0;
  return {
    json: options.json,
    live,
    print: (text) => {
      process.stdout.write(`${text}\n`);
    },
    printJson: (value) => {
      process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    note: (text) => {
      process.stderr.write(`${text}\n`);
    },
    draw: (lines) => {
      if (!live) return;
      const width = process.stderr.columns;
      const up = drawn === 0 ? '' : `\u001b[${String(drawn)}A`;
      process.stderr.write(
        `${up}${lines.map((line) => `\u001b[2K${line.slice(0, Math.max(20, width - 1))}\n`).join('')}\u001b[0J`,
      );
      drawn = lines.length;
    },
    paint: (colour, text) => (coloured ? styleText(colour, text) : text),
  };
}

/** A table without borders, columns separated by two blanks; the last one is not padded. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), title.length),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [header, ...rows].map(line).join('\n');
}

/** A text in lines of at most `width` columns; a word that is longer has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** `2026-11-23 22:41 (3m ago)` */
export function when(instant: string, now = Date.now()): string {
  return `${instant.slice(0, 16).replace('T', ' ')} (${age(instant, now)} ago)`;
}

/** `3m`, `2d`: how old an instant is, in its largest unit. */
export function age(instant: string, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(instant)) / 1000));
  if (seconds < 60) return `${String(seconds)}s`;
  if (seconds < 3_600) return `${String(Math.round(seconds / 60))}m`;
  if (seconds < 48 * 3_600) return `${String(Math.round(seconds / 3_600))}h`;
  return `${String(Math.round(seconds / 86_400))}d`;
}
