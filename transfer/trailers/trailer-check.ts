import { jsonCheck } from './json.ts';
import { pgCustomCheck } from './pg-custom.ts';
import { rdbCheck } from './rdb.ts';
import { tarCheck } from './tar.ts';
import { textCheck } from './text.ts';
import type { TrailerCheck, TrailerRule } from './trailer.ts';

/** The check of a rule, for one stream. */
export function trailerCheck(rule: TrailerRule): TrailerCheck {
  switch (rule.kind) {
    case 'pg-custom-toc':
      return pgCustomCheck();
    case 'text':
      return textCheck(rule.endsWith);
    case 'tar':
      return tarCheck();
    case 'rdb':
      return rdbCheck();
    case 'json':
      return jsonCheck();
  }
}
