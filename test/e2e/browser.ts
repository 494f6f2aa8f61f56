import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { aptInstall } from '../../sandbox/machine.ts';
import { fileExists } from '../../workers/tools/file-exists.ts';

const program = '/usr/bin/chromium';

/** A page of a browser with a profile of its own. */
export type Browser = { readonly page: Page; close(): Promise<void> };

/** Starts Debian's Chromium, which is installed where it is missing. @throws where it cannot be installed or started */
export async function openBrowser(): Promise<Browser> {
  if (!(await fileExists(program))) await aptInstall(['chromium', 'fonts-dejavu-core']);
  const profile = await mkdtemp(join(tmpdir(), 'lifeboat-browser-'));
  const remove = async (): Promise<void> => {
    await rm(profile, { recursive: true, force: true });
  };
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: program,
      viewport: { width: 1440, height: 900 },
      args: ['no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run']
        .concat(['disable-background-networking', 'disable-component-update', 'disable-sync'])
        .map((flag) => `--${flag}`),
    });
    context.setDefaultTimeout(60_000);
    return {
      page: context.pages()[0] ?? (await context.newPage()),
      close: async () => {
        await context.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
