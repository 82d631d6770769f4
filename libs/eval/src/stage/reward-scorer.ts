import type { PromptRecord } from "@stagecraft/data";
import { loadRewardModel } from "@stagecraft/learn";
import { loadTokenizer, renderScored } from "@stagecraft/tokenizer";

/** Scores answers with a reward model. */
export interface RewardScorer {
  score(prompt: PromptRecord, answers: readonly string[]): number[];
  dispose(): void;
}

/** Loads a reward model, or an ensemble, whose mean counts; `failed_precondition` for a model without a score head. */
export async function loadRewardScorer(dir: string): Promise<RewardScorer> {
  const tokenizer = await loadTokenizer(dir);
  const model = await loadRewardModel(dir);
  return {
    score({ messages }, answers) {
      const sequences = answers.map((content) => {
        return renderScored(tokenizer, [...messages, { role: "assistant", content }]);
      });
      return model.score(sequences).map(({ mean }) => mean);
    },
    dispose: () => model.dispose(),
  };
}
