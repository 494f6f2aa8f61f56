import type { Facts, FactTotals } from '../../model/facts.ts';
import { formatArchiveIndex, gatherArchiveIndex } from './archive-index.ts';
import { fed, pushParser } from './push-parser.ts';
import { gatherTarFacts, readTar } from './tar.ts';

/** What an archive of files holds, gathered while it passes. */
export type ArchiveGatherer = {
  /** @throws DumpEndedEarly where the bytes are no archive */
  readonly take: (chunk: Uint8Array) => void;
  /** After the last chunk. @throws DumpEndedEarly where the archive is not whole */
  readonly end: () => { readonly facts: Facts; readonly totals: FactTotals; readonly index: () => Buffer };
};

/** Gathers the facts of an archive, and the index of where each path lies in it. */
export function gatherArchive(): ArchiveGatherer {
  const gathered = gatherTarFacts();
  const index = gatherArchiveIndex();
  const parser = pushParser(
    readTar((member) => {
      gathered.visit(member);
      index.visit(member);
    }),
  );
  return {
    take: (chunk) => void fed(() => parser.push(chunk)),
    end: () => {
      fed(() => {
        parser.end();
      });
      return {
        facts: gathered.facts(),
        totals: gathered.totals,
        index: () => formatArchiveIndex(index.members),
      };
    },
  };
}
