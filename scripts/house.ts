import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const vague = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'manager', 'service', 'misc']);
const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: root,
  encoding: 'utf8',
});
const problems: string[] = [];
for (const file of listed.split('\n').filter((name) => name !== '' && !name.includes('.generated.'))) {
  const text = readFileSync(join(root, file), 'utf8');
  const lines = text.split('\n').length - 1;
  if (lines > 300 && !/^\/\/ long because /m.test(text))
    problems.push(
      `${file}: ${String(lines)} lines, the house stops at 300; split it by subject, or say "// long because …"`,
    );
  const stem = basename(file).replace(/(\.test)?\.ts$/, '');
  if (vague.has(stem)) problems.push(`${file}: the name says no subject`);
  if (!/^[a-z0-9-]+(\.test|\.config|\.d)?\.ts$/.test(basename(file)))
    problems.push(`${file}: file names are kebab-case`);
}
for (const problem of problems) process.stdout.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
