import { failure } from '../../model/failures.ts';
import { type Ask, literal, rows } from './mysql.ts';

/** Refuses tables without a consistent snapshot, and says what a dump cannot carry. @throws EngineNotSupported */
export async function checkTables(ask: Ask, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const within = `table_schema IN (${names.map(literal).join(', ')})`;
  const others = rows(
    await ask(
      `SELECT CONCAT(table_schema, '.', table_name, ' (', COALESCE(engine, 'broken'), ')') FROM information_schema.tables WHERE ${within} AND table_type <> 'VIEW' AND COALESCE(engine, '-') <> 'InnoDB';`,
    ),
  );
  if (others.length > 0)
    throw failure('EngineNotSupported', {
      message: `capture schemas: ${String(others.length)} tables are not of InnoDB: ${others.slice(0, 3).flat().join(', ')}`,
    });
  const [floats = '0'] = await ask(
    `SELECT COUNT(*) FROM information_schema.columns WHERE ${within} AND data_type = 'float';`,
  );
  const [versioned = '0'] = await ask(
    `SELECT COUNT(*) FROM information_schema.tables WHERE ${within} AND table_type = 'SYSTEM VERSIONED';`,
  );
  return [
    ...(floats === '0' ? [] : [`${floats} FLOAT columns are kept to six digits, as the dump tool writes them`]),
    ...(versioned === '0' ? [] : [`the history of ${versioned} system-versioned tables is not captured`]),
  ];
}
