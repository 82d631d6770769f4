import { lastWords, rankedMatter, type Ranking } from "@stagecraft/data";
import type { Answers } from "../ranking/answers.js";
import type { LoopConfig } from "./loop-config.js";
import { dividePool, numPairs, type PoolFiles } from "./pool.js";
import type { Lack, Missing } from "./wait-for-rankings.js";

export interface GoalOptions {
  config: LoopConfig;
  /** The round's answers, put up for ranking. */
  sets: readonly Answers[];
  /** Rankings that are there already: of the configuration and of earlier rounds. */
  before: PoolFiles;
  /** Whether people have had the time that they get. */
  isTimeUp(): boolean;
}

/**
 * What a round waits for: so many new rankings, of such a share of its prompts, until the time is up;
 * and, however long it takes, as many held-out pairs as a judgement of reward models needs.
 */
export function rankingGoal({ config, sets, before, isTimeUp }: GoalOptions): Missing {
  const { minRankings, minRankedShare, minHeldOutPairs } = config;
  const prompts = new Set(sets.filter(({ answers }) => answers.length >= 2).map(promptKey));
  const wantedPrompts = Math.ceil(minRankedShare * prompts.size);
  const known = lastWords(before.rankings).length;
  return (rankings) => {
    const all = lastWords([...before.rankings, ...rankings]);
    // A rater who thinks again about an earlier round's answers adds no ranking.
    const added = all.length - known;
    const ranked = new Set(rankings.map(promptKey).filter((key) => prompts.has(key))).size;
    const pairs = numPairs(dividePool(config, { ...before, rankings: all }).heldOut);
    const lacks: Lack[] = [];
    if (!isTimeUp()) {
      if (added < minRankings) {
        const need = { what: "rankings", have: added, needed: minRankings };
        lacks.push({ text: `${added} of ${minRankings} new ones`, need });
      }
      if (ranked < wantedPrompts) {
        const text = `${ranked} of ${wantedPrompts} prompts ranked (there are ${prompts.size})`;
        const need = { what: "prompts ranked", have: ranked, needed: wantedPrompts };
        lacks.push({ text, need });
      }
    }
    if (pairs < minHeldOutPairs) {
      const text = `${pairs} of ${minHeldOutPairs} held-out pairs to judge reward models by`;
      const need = { what: "held-out pairs", have: pairs, needed: minHeldOutPairs };
      lacks.push({ text, need });
      if (ranked === prompts.size) lacks.push({ text: MORE_PAIRS });
    }
    return lacks;
  };
}

const MORE_PAIRS =
  "all prompts of the round are ranked, so rankings of other prompts are needed, " +
  "or --resume with a smaller --min-held-out-pairs";

const promptKey = ({ prompt }: Pick<Ranking, "prompt">) => rankedMatter({ prompt, answers: [] });
