import type { Writer } from '../../sandbox-recipe.ts';

const ledger = `
CREATE TABLE IF NOT EXISTS ledger_accounts (id int PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE IF NOT EXISTS ledger_transfers (id bigint PRIMARY KEY, debit int NOT NULL, credit int NOT NULL, amount int NOT NULL);
INSERT IGNORE INTO ledger_accounts SELECT a.n + 10 * b.n, 1000 FROM
(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) a,
(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) b;`;

const last = 'SELECT coalesce(max(id), 0) FROM ledger_transfers';

/**
 * Transfers between a hundred accounts of 1000 each: the sum stays 100000. A number is printed after its commit.
 * StatefulSet pods are called <Service>-<ordinal>.
 */
const loop = `
trap 'exit 0' TERM
client=$(command -v mariadb || command -v mysql)
query() { MYSQL_PWD=$MYSQL_PASSWORD "$client" --protocol=tcp --connect-timeout=2 -h"\${HOSTNAME%-*}" -u"$MYSQL_USER" -N -B "$MYSQL_DATABASE" -e "$1"; }
until query "${ledger.replaceAll('\n', ' ')}"; do sleep 0.5; done
until id=$(query "${last}"); do sleep 0.5; done
while :; do
  id=$((id + 1)); debit=$((id % 100)); credit=$((id * 7 % 100)); amount=$((id % 9 + 1))
  if query "START TRANSACTION;
INSERT INTO ledger_transfers VALUES ($id, $debit, $credit, $amount);
UPDATE ledger_accounts SET balance = balance - $amount WHERE id = $debit;
UPDATE ledger_accounts SET balance = balance + $amount WHERE id = $credit;
COMMIT"
  then echo "$id"; sleep 0.3; else sleep 0.2; until found=$(query "${last}"); do sleep 0.2; done; id=$found; fi
done`;

/** The continuous writer of the demo. */
export const writer: Writer = {
  command: ['sh', '-c', loop],
  check: [
    'sh',
    '-c',
    `MYSQL_PWD=$MYSQL_ROOT_PASSWORD exec "$(command -v mariadb || command -v mysql)" --protocol=socket -uroot -N -B "$MYSQL_DATABASE" -e "SELECT concat_ws(' ', (SELECT count(*) FROM ledger_transfers), (SELECT sum(balance) FROM ledger_accounts), (${last}))"`,
  ],
};
