import type { SeedPod } from '../../sandbox-recipe.ts';

/** Two schemas with about 20 000 rows, one of every kind of object that a dump can lose, and accounts with grants. */
export async function seed(pod: SeedPod): Promise<void> {
  await pod.run(
    [
      'sh',
      '-c',
      'MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec "$(command -v mariadb || command -v mysql)" --protocol=socket -uroot --default-character-set=utf8mb4',
    ],
    `${shop}${archive}${accounts}`,
  );
}

/** Numbers 0 to 9999, without a sequence table or a recursion limit. */
const digits =
  '(SELECT 0 n UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)';
const numbers = `(SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS i FROM ${digits} a, ${digits} b, ${digits} c, ${digits} d)`;

const shop = `
CREATE DATABASE IF NOT EXISTS shop;
USE shop;
CREATE TABLE customers (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(120) NOT NULL, email varchar(120) UNIQUE,
  level enum('new', 'silver', 'gold') NOT NULL DEFAULT 'new', flags set('news', 'sms', 'phone') NOT NULL DEFAULT '',
  joined datetime(6) NOT NULL, balance decimal(20, 6), ratio double, KEY by_name (name(20))
) CHARACTER SET utf8mb4;
CREATE TABLE orders (
  id bigint unsigned AUTO_INCREMENT PRIMARY KEY, customer bigint unsigned NOT NULL, total decimal(12, 2) NOT NULL,
  placed date NOT NULL, note text, scan blob, bits bit(12), at timestamp(3) NULL,
  net decimal(12, 2) AS (total / 1.19) VIRTUAL,
  FOREIGN KEY (customer) REFERENCES customers (id), FULLTEXT KEY words (note)
) AUTO_INCREMENT = 100000;
CREATE TABLE audit (at datetime(6) NOT NULL, orders bigint unsigned NOT NULL, was decimal(12, 2), now decimal(12, 2));
CREATE TABLE \`odd; table\` (\`select\` int, \`naïve col\` varchar(50), body json);
CREATE TABLE visits (day date NOT NULL, page int NOT NULL, hits int NOT NULL, PRIMARY KEY (day, page))
  PARTITION BY RANGE (year(day)) (PARTITION p2025 VALUES LESS THAN (2026), PARTITION rest VALUES LESS THAN MAXVALUE);

INSERT INTO customers (name, email, level, flags, joined, balance, ratio)
SELECT concat('Customer ', i, IF(i % 97 = 0, ' Zoë ''\\\\ 🚲', '')), concat('c', i, '@example.org'), 1 + i % 3, i % 8,
  timestamp('2024-01-01') + INTERVAL i * 17 MINUTE, i / 7, 1 / (i + 1) FROM ${numbers} numbers WHERE i < 4000 ORDER BY i;
INSERT INTO orders (customer, total, placed, note, scan, bits, at)
SELECT 1 + i * 31 % 4000, i % 5000 / 7, date('2026-01-01') + INTERVAL i % 300 DAY, IF(i % 3 = 0, repeat('note ', i % 40), NULL),
  IF(i % 10 = 0, unhex(repeat(md5(i), 1 + i % 20)), NULL), i % 4096, timestamp('2026-01-01 00:00:00') + INTERVAL i * 37 SECOND
FROM ${numbers} numbers ORDER BY i;
INSERT INTO visits SELECT date('2025-06-01') + INTERVAL floor(i / 10) DAY, i % 10, i * 3 FROM ${numbers} numbers WHERE i < 5000;
INSERT INTO \`odd; table\` SELECT i, concat('tab\\t''', i), json_object('i', i, 'ü', json_array(i, null)) FROM ${numbers} numbers WHERE i < 50;

DELIMITER //
CREATE TRIGGER audit_total AFTER UPDATE ON orders FOR EACH ROW
BEGIN
  IF NOT (NEW.total <=> OLD.total) THEN INSERT INTO audit VALUES (now(6), NEW.id, OLD.total, NEW.total); END IF;
END//
CREATE PROCEDURE raise_total(IN which bigint unsigned, IN percent int) MODIFIES SQL DATA
BEGIN
  UPDATE orders SET total = total * (100 + percent) / 100 WHERE id = which;
END//
CREATE FUNCTION revenue(which date) RETURNS decimal(20, 2) READS SQL DATA
BEGIN
  RETURN (SELECT coalesce(sum(total), 0) FROM orders WHERE placed = which);
END//
DELIMITER ;
CREATE EVENT forget_audit ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' COMMENT 'in the far future' DO DELETE FROM shop.audit WHERE at < now() - INTERVAL 1 YEAR;
CREATE SQL SECURITY INVOKER VIEW best AS SELECT customer, sum(total) AS total FROM orders GROUP BY customer HAVING sum(total) > 1000;
UPDATE orders SET total = total + 1 WHERE id % 500 = 0;
`;

const archive = `
CREATE DATABASE \`archive-2025\` CHARACTER SET latin1 COLLATE latin1_general_cs;
USE \`archive-2025\`;
CREATE TABLE letters (id int PRIMARY KEY, body varchar(200)) CHARACTER SET latin1;
INSERT INTO letters SELECT i, concat('Grüße ', i) FROM ${numbers} numbers WHERE i < 500;
`;

const accounts = `
CREATE USER 'analyst'@'%' IDENTIFIED BY 'analyst-of-the-sandbox' WITH MAX_USER_CONNECTIONS 5;
GRANT SELECT, SHOW VIEW ON shop.* TO 'analyst'@'%';
GRANT EXECUTE ON FUNCTION shop.revenue TO 'analyst'@'%';
CREATE USER 'odd ''name'''@'10.%' IDENTIFIED BY 'it''s odd';
GRANT SELECT (id, name), UPDATE (name) ON shop.customers TO 'odd ''name'''@'10.%';
CREATE ROLE reporting;
GRANT SELECT ON \`archive-2025\`.* TO reporting;
GRANT reporting TO 'analyst'@'%';
`;
