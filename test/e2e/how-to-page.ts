import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../sandbox/run.ts';
import { slowness } from '../slowness.ts';

/** What stands for something else on a page, and what it is in the test. */
export type Names = Readonly<Record<string, string>>;

/** A page of docs/how-to whose commands and inputs are tried as they stand there, but for the names in them. */
export class HowToPage {
  /** Commands of its shell blocks, one each. */
  private readonly commands: readonly string[];
  private readonly inputs: readonly string[];
  private readonly tried = new Set<string>();
  private readonly names: Names;
  private readonly env: Readonly<Record<string, string>>;

  private constructor(text: string, names: Names, env: Readonly<Record<string, string>>) {
    const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = '', body = '']) => ({
      language,
      body,
    }));
    this.commands = blocks
      .filter(({ language }) => language === 'sh')
      .flatMap(({ body }) => body.replaceAll(/\\\n\s*/g, '').split('\n'))
      .map((line) => line.replace(/\s+# .*$/, '').trim())
      .filter((line) => line !== '');
    this.inputs = blocks.filter(({ language }) => language === 'json').map(({ body }) => body.trim());
    for (const name of Object.keys(names)) if (!text.includes(name)) throw new Error(`the page does not say ${name}`);
    this.names = names;
    this.env = env;
  }

  /** @param env - that of the shell which runs its commands */
  static async open(file: string, names: Names = {}, env: Readonly<Record<string, string>> = {}): Promise<HowToPage> {
    return new HowToPage(
      await readFile(join(import.meta.dirname, '..', '..', 'docs', 'how-to', file), 'utf8'),
      names,
      env,
    );
  }

  /** Runs the command of the page that begins so, and returns what it printed. @throws where it ends badly */
  async run(start: string, more: Names = {}): Promise<string> {
    const found = this.commands.filter((command) => command.startsWith(start));
    const [command] = found;
    if (command === undefined || found.length > 1)
      throw new Error(`${String(found.length)} commands of the page begin with ${start}`);
    this.tried.add(command);
    return await run('bash', ['-euo', 'pipefail', '-c', this.fill(command, more)], {
      env: this.env,
      timeoutMs: 5 * 60_000 * slowness,
    });
  }

  /** The nth JSON of the page, from 1. */
  input(nth: number, more: Names = {}): string {
    const input = this.inputs[nth - 1];
    if (input === undefined) throw new Error(`the page has ${String(this.inputs.length)} inputs`);
    this.tried.add(input);
    return this.fill(input, more);
  }

  /** Commands and inputs of the page that nobody tried. */
  untried(): string[] {
    return [...this.commands, ...this.inputs].filter((each) => !this.tried.has(each));
  }

  private fill(text: string, more: Names): string {
    for (const name of Object.keys(more)) if (!text.includes(name)) throw new Error(`${text} does not say ${name}`);
    return Object.entries({ ...this.names, ...more }).reduce((all, [name, real]) => all.replaceAll(name, real), text);
  }
}
