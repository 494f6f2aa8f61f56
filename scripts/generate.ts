import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makePages } from './docs/pages.ts';

const root = join(import.meta.dirname, '..');
const onlyCheck = process.argv.includes('--check');
let stale = 0;
for (const { file, text } of makePages()) {
  const path = join(root, file);
  const current = ((): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  })();
  if (current === text) continue;
  stale += 1;
  if (onlyCheck) process.stdout.write(`${file} is not what the code says; run npm run generate\n`);
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
process.exitCode = onlyCheck && stale > 0 ? 1 : 0;
