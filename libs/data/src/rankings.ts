import { StagecraftError } from "@stagecraft/core";
import { RecordProblem } from "./bad-records.js";
import { objectOf } from "./formats/records/fields.js";
import { parseRanking } from "./formats/records/ranking.js";
import { readKind } from "./read-records.js";
import type { Ranking, RecordOptions } from "./types.js";
import { writeJsonl } from "./write/write-jsonl.js";

/**
 * Rankings from files or folders of them, in order, in any format of docs/data.md.
 * @throws `invalid_argument` with file and line when more than `maxBadRecords` are malformed
 */
export function readRankings(
  paths: string | readonly string[],
  options: RecordOptions = {},
): AsyncGenerator<Ranking> {
  return readKind("rankings", paths, options);
}

/** Checks every ranking and writes them atomically, one a line. Returns how many. */
export function writeRankings(
  file: string,
  rankings: Iterable<Ranking> | AsyncIterable<Ranking>,
): Promise<number> {
  return writeJsonl(file, checked(rankings));
}

async function* checked(rankings: Iterable<Ranking> | AsyncIterable<Ranking>) {
  let index = 0;
  for await (const ranking of rankings) {
    yield validateRanking(ranking, `ranking ${index++}`);
  }
}

/**
 * The ranking with only its known fields.
 * @throws `invalid_argument`, starting with `what`, when lengths, ranks or scores are wrong
 */
export function validateRanking(value: unknown, what = "the ranking"): Ranking {
  try {
    return parseRanking(objectOf(value));
  } catch (thrown) {
    if (!(thrown instanceof RecordProblem)) throw thrown;
    throw new StagecraftError("invalid_argument", `${what}: ${thrown.message}`, { cause: thrown });
  }
}
