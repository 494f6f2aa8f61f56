import type { Writer } from '../../sandbox-recipe.ts';

/** StatefulSet pods are called <Service>-<ordinal>. */
const service = '${HOSTNAME%-*}';

const ledger = `
CREATE SCHEMA IF NOT EXISTS ledger;
CREATE TABLE IF NOT EXISTS ledger.accounts (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE IF NOT EXISTS ledger.transfers (id bigint PRIMARY KEY, debit int NOT NULL, credit int NOT NULL, amount int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
INSERT INTO ledger.accounts SELECT i, 1000 FROM generate_series(1, 100) i ON CONFLICT DO NOTHING;`;

/** Transfers between a hundred accounts of 1000 each: the sum stays 100000. A number is printed after its commit. */
const loop = `
trap 'exit 0' TERM
connect() { PGPASSWORD=$APPLICATION_PASSWORD PGCONNECT_TIMEOUT=2 psql -X -A -t -q -v ON_ERROR_STOP=1 -h "${service}" -U "$APPLICATION_USER" -d "$APPLICATION_DATABASE" "$@"; }
until connect -c "SET client_min_messages = error; ${ledger.replaceAll('\n', ' ')}"; do sleep 0.5; done
until id=$(connect -c "SELECT coalesce(max(id), 0) FROM ledger.transfers"); do sleep 0.5; done
while :; do
  id=$((id + 1)); debit=$((id % 100 + 1)); credit=$((id * 7 % 100 + 1)); amount=$((id % 9 + 1))
  if connect <<SQL
BEGIN;
INSERT INTO ledger.transfers (id, debit, credit, amount) VALUES ($id, $debit, $credit, $amount);
UPDATE ledger.accounts SET balance = balance + CASE id WHEN $debit THEN -$amount ELSE $amount END WHERE id IN ($debit, $credit) AND $debit <> $credit;
COMMIT;
SQL
  then echo "$id"; sleep 0.3; else sleep 0.2; until last=$(connect -c "SELECT coalesce(max(id), 0) FROM ledger.transfers"); do sleep 0.2; done; id=$last; fi
done`;

/** The continuous writer of the demo. */
export const writer: Writer = {
  command: ['sh', '-c', loop],
  check: [
    'sh',
    '-c',
    `exec psql -X -A -t -q -F ' ' -U "$POSTGRES_USER" -d "$APPLICATION_DATABASE" -c "SELECT (SELECT count(*) FROM ledger.transfers), (SELECT sum(balance) FROM ledger.accounts), (SELECT coalesce(max(id), 0) FROM ledger.transfers)"`,
  ],
};
