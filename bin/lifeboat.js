#!/usr/bin/env node
// Runs the command under the pinned Node: the system's own may be too old for TypeScript.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const node = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
// In the pod of a mover there is nothing to type: what it does stands in its job.
const entry = process.argv[2] === 'mover' ? '../workers/mover/main.ts' : '../cli/main.ts';
const main = fileURLToPath(new URL(entry, import.meta.url));
// A small young generation: buffers are given back by hand, and what V8 would let it grow to is memory that a long stream keeps.
// The old one, small too, may double before it is collected: a worker spends a fifth less of a processor. One arena of malloc for all
// threads: what one of them gives back is there for the others.
const { flags, env } = JSON.parse(readFileSync(new URL('./node-start.json', import.meta.url), 'utf8'));
// Where cli/main.ts keeps what was compiled: known before it is read itself, a command need not load what reads TypeScript. Without a
// home main.ts finds the place itself, and a mover has none to write to.
const { XDG_CACHE_HOME: cache, HOME: home } = process.env;
const caches = cache || (home && join(home, '.cache'));
const compiled =
  caches && process.argv[2] !== 'mover' ? { NODE_COMPILE_CACHE: join(caches, 'lifeboat', 'compiled') } : {};
const args = [...flags, main, ...process.argv.slice(2)];
const itsEnv = { ...env, ...compiled, ...process.env };
// Node from 23.11 on can become the pinned one, as a shell does by exec: no second process waits for it, as in the pod of a mover.
if (process.execve !== undefined && existsSync(node)) process.execve(node, [node, ...args], itsEnv);
const child = spawn(node, args, { stdio: 'inherit', env: itsEnv });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  console.error(`lifeboat: cannot start the pinned Node at ${node}: ${error.message}. Run npm install.`);
  process.exitCode = 1;
});
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
});
