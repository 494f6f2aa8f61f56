import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../model/outcome.ts';
import { checkout } from '../../sandbox/layout.ts';
import { waitUntil } from '../../sandbox/run.ts';
import { slowness } from '../slowness.ts';
import { type Browser, openBrowser } from './browser.ts';
import { type Ground, openGround } from './ground.ts';
import { HowToPage } from './how-to-page.ts';
import { temporalClient } from './temporal-client.ts';

const redis = 'orders/redis';

/** Where the pictures go: `docs/images` where they are to be renewed. */
const pictures = join(checkout, process.env['LIFEBOAT_TEST_PICTURES'] ?? '.lifeboat/tests/pictures');

const browser = await openBrowser().catch((error: unknown) => String(error));

if (typeof browser === 'string') process.stderr.write(`SKIPPED the Temporal UI: ${browser}\n`);

describe.skipIf(typeof browser === 'string')(
  `the Temporal UI${typeof browser === 'string' ? ` (${browser})` : ''}`,
  () => {
    const { page } = browser as Browser;
    let ground: Ground;
    let client: Client;
    let howTo: HowToPage;

    beforeAll(async () => {
      await mkdir(pictures, { recursive: true });
      howTo = await HowToPage.open('temporal-ui.md');
      ground = await openGround('temporal-ui', { releases: [{ chart: 'redis', namespace: 'orders', name: 'redis' }] });
      client = await temporalClient(ground);
      await ground.startWorker();
      const backup = await ground.run(['backup', redis]);
      expect(backup.result.outcome, backup.stderr).toBe('complete');
    });

    afterAll(async () => {
      await (browser as Browser).close();
      await client.connection.close();
      await ground.close();
    });

    /** Does again what a person would: the page of a busy server comes without a part of it now and then. */
    async function persist(what: string, attempt: () => Promise<void>): Promise<void> {
      let shown = '';
      await waitUntil(
        what,
        async () => {
          try {
            await attempt();
            return true;
          } catch (error) {
            const text = await page.locator('body').innerText({ timeout: 5_000 }).catch(String);
            shown = `${String(error).slice(0, 300)}; ${page.url()} shows: ${text.slice(0, 1_000)}`;
            return undefined;
          }
        },
        { timeoutMs: 400_000 * slowness, everyMs: 1_000, detail: () => shown },
      );
    }

    /** Starts a run by the form, as the page says, and opens it. */
    async function start(workflowId: string, type: string, input: string): Promise<void> {
      const runs = `${ground.sandbox.temporal.ui}/namespaces/${ground.temporalNamespace}/workflows`;
      await persist(`start ${workflowId} by the form`, async () => {
        if (await isThere(workflowId)) {
          await page.goto(`${runs}/${workflowId}`);
          return;
        }
        await page.goto(runs);
        await page.getByRole('link', { name: 'Start Workflow' }).first().click();
        await page.getByTestId('workflowId').fill(workflowId);
        await page.getByTestId('taskQueue').fill('lifeboat');
        await page.getByTestId('workflowType').fill(type);
        await page.getByRole('textbox', { name: 'Data' }).fill(input);
        await page.getByText('Task Queue is Active').waitFor();
        // The form sets the input out in lines once it is left, and moves its button.
        await page.getByText('Encoding').click();
        if (type === 'runDrill') await take('temporal-ui-start.png', 900);
        await page.getByTestId('start-workflow-button').click();
        await page.getByRole('link', { name: 'Workflow started successfully' }).click();
      });
      expect(await isThere(workflowId)).toBe(true);
    }

    async function isThere(workflowId: string): Promise<boolean> {
      return await client.workflow
        .getHandle(workflowId)
        .describe()
        .then(
          ({ status }) => status.name === 'RUNNING',
          () => false,
        );
    }

    /** The checklist of the run, once it says so. */
    async function currentDetails(wanted: RegExp): Promise<string> {
      await tab('User Metadata').click();
      const details = page.locator('iframe').first().contentFrame().locator('body');
      return await waitUntil(
        `see ${String(wanted)} in the current details`,
        async () => {
          const text = await details.innerText({ timeout: 5_000 }).catch(() => '');
          if (wanted.test(text)) return text;
          await page.keyboard.press('r');
          return undefined;
        },
        { timeoutMs: 180_000 * slowness, everyMs: 1_000 },
      );
    }

    const tab = (name: string): Locator => page.getByText(name, { exact: true }).first();

    /** A picture of the window at this height. */
    async function take(name: string, height: number): Promise<void> {
      await page.setViewportSize({ width: 1440, height });
      // A key that was pressed leaves a frame around what has the focus.
      await page.evaluate('document.activeElement?.blur()');
      await page.waitForTimeout(500);
      await page.screenshot({ path: join(pictures, name) });
    }

    async function resultOf(workflowId: string): Promise<RunResult> {
      return (await client.workflow.getHandle(workflowId).result()) as RunResult;
    }

    it('starts a drill by its form with one line of JSON, and shows its phases and its result', async () => {
      await start('drill-redis', 'runDrill', howTo.input(1));

      expect(await currentDetails(/prove the isolation: enforced/)).toMatch(/Drill orders\/redis: \w+/);
      await take('temporal-ui.png', 700);
      await tab('Queries').click();
      await page.getByRole('button', { name: 'Run Query' }).click();
      await page.getByText('"phase"').first().waitFor();
      const drill = await resultOf('drill-redis');
      await tab('Timeline').click();
      for (const row of [/plan the drill of orders\/redis/, /make orders-drill-/, /cut the scratch namespaces off/])
        await page.getByText(row).first().waitFor();
      await page
        .getByText(`recover orders/redis from ${drill.releases[0]?.recoveryPoint ?? ''}`)
        .first()
        .waitFor();
      await page.getByText('Completed').first().waitFor();
      await page.getByText('"complete"').first().waitFor();
      await take('temporal-ui-timeline.png', 1000);
      expect(drill).toMatchObject({ outcome: 'complete', drill: { isolated: 'enforced' } });
      expect(drill.releases).toMatchObject([{ release: redis, outcome: 'complete', facts: { equal: true } }]);
    });

    it('starts a recovery, shows what it overwrites, and answers its approval by an update', async () => {
      await start('recover-redis', 'recoverRelease', howTo.input(2));

      const details = await currentDetails(/Waits for approval/);
      expect(details).toContain('volume claim orders/data-redis-0');
      await page.getByRole('link', { name: 'Workflow started successfully' }).waitFor({ state: 'hidden' });
      await take('temporal-ui-approval.png', 1040);
      const digest = /"planDigest": "([0-9a-f]{64})"/.exec(details)?.[1] ?? '';
      const dialog = page.locator('dialog[open]');
      await persist('open the update approve', async () => {
        // Only a page that was opened after the run began, and whose worker answered it, knows what updates it takes.
        await page.reload();
        await page.getByRole('button', { name: 'More Actions' }).click();
        await page.getByRole('menuitem', { name: 'Send an Update' }).click();
        await dialog.getByTestId('update-select-button').click();
        await dialog.getByRole('option', { name: /^approve/ }).click();
      });
      await dialog.getByRole('textbox', { name: 'Data' }).fill(howTo.input(3, { DIGEST: digest }));
      await dialog.getByText('Single JSON payload supported').click();
      await dialog.screenshot({ path: join(pictures, 'temporal-ui-update.png') });
      await dialog.getByRole('button', { name: 'Submit' }).click();

      const recovery = await resultOf('recover-redis');
      expect(recovery.notes).toContain('approved by ann: incident 42');
      expect(recovery).toMatchObject({
        outcome: 'complete',
        releases: [{ release: redis, outcome: 'complete', facts: { equal: true } }],
      });
      expect(recovery.releases[0]?.facts.compared).toBeGreaterThan(1_000);
      expect(howTo.untried()).toEqual([]);
    });
  },
);
