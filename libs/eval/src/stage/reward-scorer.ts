import type { PromptRecord } from "@stagecraft/data";
import { keepEnd, loadRewardModel } from "@stagecraft/learn";
import { loadTokenizer, renderScored } from "@stagecraft/tokenizer";

/** Scores answers with a reward model. */
export interface RewardScorer {
  score(prompt: PromptRecord, answers: readonly string[]): number[];
  /** Answers so far that were too long for the model and lost their beginning. */
  readonly numCut: number;
  dispose(): void;
}

/** Loads a reward model, or an ensemble, whose mean counts; `failed_precondition` for a model without a score head. */
export async function loadRewardScorer(dir: string): Promise<RewardScorer> {
  const tokenizer = await loadTokenizer(dir);
  const model = await loadRewardModel(dir);
  const { maxPositions } = model.members[0]!.config;
  let numCut = 0;
  return {
    get numCut() {
      return numCut;
    },
    score({ messages }, answers) {
      const sequences = answers.map((content) => {
        const ids = renderScored(tokenizer, [...messages, { role: "assistant", content }]);
        if (ids.length > maxPositions) numCut++;
        return keepEnd(ids, maxPositions);
      });
      return model.score(sequences).map(({ mean }) => mean);
    },
    dispose: () => model.dispose(),
  };
}
