/**
 * About how many seconds a file of the suites with servers takes beside others on the machine of docs/explanation/tests.md, for those
 * that take a hundred or more: they begin in this order, and none that would not end in the time of its run.
 */
const seconds: Readonly<Record<string, number>> = {
  'faults/blue-green': 430,
  'e2e/demo': 400,
  'e2e/drill': 230,
  'e2e/mover': 230,
  'faults/killed-worker': 190,
  'faults/drill-failures': 180,
  'e2e/upgrade': 175,
  'e2e/blue-green': 165,
  'faults/retried-capture': 160,
  'faults/recovery-failures': 160,
  'e2e/major-upgrade': 135,
  'conformance/methods-rabbitmq': 130,
  'e2e/metrics': 125,
  'e2e/hosted': 180,
  'e2e/mariadb-upgrade': 120,
  'conformance/methods-wordpress': 120,
  'conformance/methods-postgresql': 120,
  'faults/mover-failures': 120,
  'e2e/platform': 115,
  'faults/interrupted-capture': 155,
  'e2e/schedules': 115,
  'e2e/drill-turns': 115,
  'e2e/compose': 115,
  'faults/store-failures': 110,
  'faults/capture-failures': 110,
  'e2e/retention': 110,
  'e2e/temporal-ui': 110,
  'e2e/cancelled-run': 110,
  'conformance/methods-prometheus': 105,
  'faults/left-claims': 105,
  'conformance/radosgw': 105,
  'e2e/incident-commands': 105,
  'e2e/replication': 105,
  'conformance/methods-alertmanager': 100,
  'faults/append-only': 100,
};

/** By its path; of one that is not in the table, less than of all that are. */
export function secondsOf(path: string): number {
  return Object.entries(seconds).find(([name]) => path.endsWith(`test/${name}.test.ts`))?.[1] ?? 90;
}
