import { renderReport } from '../cli/render-report.ts';
import { openTerminal, table, wrap } from '../cli/terminal.ts';
import { formatDuration } from '../model/duration.ts';
import type { DemoReport } from './run-demo.ts';

/** The demo's report as text, at most 100 columns wide. */
export function describeDemo(report: DemoReport): string {
  const terminal = openTerminal({ json: false });
  const rule = terminal.paint('dim', '─'.repeat(98));
  const ledgers = report.ledgers.map((ledger) => [
    ledger.release,
    ledger.acknowledgedBefore.toLocaleString('en'),
    ledger.acknowledgedInAll.toLocaleString('en'),
    ledger.rows.toLocaleString('en'),
    ledger.sum.toLocaleString('en'),
    ledger.consistent ? '✓ none lost' : '✗ LOST',
  ]);
  const steps = Object.entries(report.steps).map(([title, ms]) => [title, formatDuration(ms)]);
  return [
    '',
    rule,
    renderReport(report.backup, { ...report.backup, terminal }),
    rule,
    `${terminal.paint('bold', 'DESTROYED')}  ${report.destroyed.namespaces.join(', ')}; ${String(report.destroyed.volumes)} volumes, ${String(report.destroyed.volumesLeft)} left${report.destroyed.volumesLeft === 0 ? '' : ' ✗'}; ${report.destroyed.temporal ? 'Temporal and its history' : 'your Temporal was left alone, the recovery used one of its own'}`,
    rule,
    renderReport(report.recovery, { ...report.recovery, terminal }),
    rule,
    'What clients wrote while the backup ran, read from the recovered databases:',
    '',
    table(['LEDGER', 'ACKNOWLEDGED BEFORE', 'IN ALL', 'RECOVERED ROWS', 'SUM', 'VERDICT'], ledgers),
    rule,
    `One flipped bit in a copy of ${report.damage.object.split('/').slice(2, 5).join('/')}: ${report.damage.refused ? '✓ refused' : '✗ NOT REFUSED'} (exit ${String(report.damage.exitCode)})`,
    ...wrap(`${report.damage.code}: ${report.damage.message}`, 96).map((line) => `  ${line}`),
    rule,
    renderReport(report.drill, { ...report.drill, terminal }),
    rule,
    renderReport(report.upgrade.run, { ...report.upgrade.run, terminal }),
    '',
    `A client wrote all the way: ${report.upgrade.acknowledged.toLocaleString('en')} rows acknowledged, longest gap ${formatDuration(report.upgrade.longestGapMs)}, ${report.upgrade.consistent ? '✓ none lost' : '✗ LOST'}`,
    rule,
    table(['STEP', 'TIME'], steps),
    '',
    ...(report.temporalUi === null
      ? ['The platform is up; npm run sandbox -- down removes it. With --keep the Temporal UI stays too.']
      : [
          `Temporal UI  ${report.temporalUi}/namespaces/default/workflows/${encodeURIComponent(report.recovery.workflowId)}`,
          `play with it: . ${report.directory}/env; npx lifeboat status`,
        ]),
    terminal.paint(
      report.outcome === 'complete' ? 'green' : 'red',
      report.outcome === 'complete'
        ? 'Every figure above was measured by this run.'
        : 'The demo failed: look for ✗ above.',
    ),
  ].join('\n');
}
