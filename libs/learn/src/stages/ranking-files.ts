import { StagecraftError } from "@stagecraft/core";
import { lastWords, readRankings, type Ranking } from "@stagecraft/data";
import { recordOptions, type StageContext } from "@stagecraft/runs";
import { holdOutPrompts } from "./held-out.js";

export interface RankingFiles {
  data: string[];
  validationData: string[];
  validationFraction: number;
  format: string;
  columns: readonly string[];
  maxBadRecords: number;
}

/**
 * Rankings to learn from and rankings held out. One prompt stays on one side, whoever ranked it.
 * Throws invalid_argument when there is nothing to learn from.
 */
export async function readRankingFiles(
  config: RankingFiles,
  context: StageContext,
): Promise<{ train: Ranking[]; validation: Ranking[] }> {
  const { data, validationData, validationFraction } = config;
  const train = await readAll(data, config, context);
  if (validationData.length > 0) {
    return { train, validation: await readAll(validationData, config, context) };
  }
  return holdOutPrompts(train, {
    fraction: validationFraction,
    keyOf: ({ prompt }) => JSON.stringify(prompt),
    what: "rankings",
    reporter: context.reporter,
  });
}

async function readAll(
  paths: readonly string[],
  config: RankingFiles,
  context: StageContext,
): Promise<Ranking[]> {
  const rankings: Ranking[] = [];
  for await (const ranking of readRankings(paths, recordOptions(config, context))) {
    rankings.push(ranking);
  }
  if (rankings.length === 0) {
    throw new StagecraftError("invalid_argument", `no ranking found in ${paths.join(", ")}`);
  }
  const standing = lastWords(rankings);
  const revised = rankings.length - standing.length;
  if (revised > 0) {
    context.reporter.info(
      `earlier rankings left out because the rater ranked the same again: ${revised}`,
    );
  }
  return standing;
}
