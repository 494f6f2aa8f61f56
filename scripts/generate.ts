import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePages } from './docs/pages.ts';

const folder = join(import.meta.dirname, '..', 'docs', 'reference');
const onlyCheck = process.argv.includes('--check');
mkdirSync(folder, { recursive: true });
let stale = 0;
for (const { file, text } of makePages()) {
  const path = join(folder, file);
  const current = ((): string => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  })();
  if (current === text) continue;
  stale += 1;
  if (onlyCheck) process.stdout.write(`docs/reference/${file} is not what the code says; run npm run generate\n`);
  else writeFileSync(path, text);
}
process.exitCode = onlyCheck && stale > 0 ? 1 : 0;
