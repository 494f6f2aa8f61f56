import { median, type Results, type Row } from './results.ts';

const width = 760;
const labels = 270;
const line = 22;
const bar = 14;
const head = 34;
const own = '#1f6feb';
const others = '#8b949e';

/**
 * The results as a picture in SVG: for each kind of work a bar for each contender, as long as its median speed, with a line from its
 * lowest to its highest round.
 */
export function plotResults({ rows, bytes, rounds, at, machine }: Results): string {
  const kinds = [...new Set(rows.map(({ what }) => what))];
  const speeds = rows.map((row) => speedsOf(row, bytes));
  const scale = (width - labels - 60) / Math.max(...speeds.flat());
  let y = 20;
  const drawn: string[] = [];
  for (const what of kinds) {
    y += head;
    drawn.push(`<text x="0" y="${String(y - 10)}" font-weight="bold">${what}, MB/s</text>`);
    for (const [index, row] of rows.entries()) {
      if (row.what !== what) continue;
      drawn.push(drawBar(row.name, speeds[index] ?? [], y, scale));
      y += line;
    }
  }
  const caption = `${machine}, ${(bytes / 1e6).toFixed(0)} MB, medians of ${String(rounds)} rounds, ${at.slice(0, 10)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(y + 30)}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...drawn,
    `<text x="0" y="${String(y + 20)}" fill="${others}">${escaped(caption)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function speedsOf({ costs }: Row, bytes: number): number[] {
  return costs.map(({ wallMs }) => bytes / 1e3 / wallMs);
}

function drawBar(name: string, speeds: readonly number[], y: number, scale: number): string {
  const middle = median(speeds);
  const [low, high] = [Math.min(...speeds), Math.max(...speeds)].map((speed) => labels + speed * scale) as [
    number,
    number,
  ];
  const at = (value: number): string => value.toFixed(1);
  const center = at(y + bar / 2);
  return [
    `<text x="${String(labels - 8)}" y="${String(y + bar - 3)}" text-anchor="end">${escaped(name)}</text>`,
    `<rect x="${String(labels)}" y="${String(y)}" width="${at(middle * scale)}" height="${String(bar)}" fill="${name.startsWith('Lifeboat') ? own : others}"/>`,
    `<line x1="${at(low)}" x2="${at(high)}" y1="${center}" y2="${center}" stroke="black"/>`,
    `<text x="${at(Math.max(high, labels + middle * scale) + 6)}" y="${String(y + bar - 3)}">${middle.toFixed(0)}</text>`,
  ].join('');
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}
