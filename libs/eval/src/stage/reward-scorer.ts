import { StagecraftError } from "@stagecraft/core";
import type { PromptRecord } from "@stagecraft/data";
import { scoreSequences } from "@stagecraft/learn";
import { loadModel } from "@stagecraft/model";
import { loadTokenizer, renderChat } from "@stagecraft/tokenizer";

/** Scores answers with a reward model. */
export interface RewardScorer {
  score(prompt: PromptRecord, answers: readonly string[]): number[];
  dispose(): void;
}

/** Loads a reward model; `failed_precondition` for a model without a score head. */
export async function loadRewardScorer(dir: string): Promise<RewardScorer> {
  const tokenizer = await loadTokenizer(dir);
  const model = await loadModel(dir);
  if (!model.heads.includes("score")) {
    model.dispose();
    throw new StagecraftError(
      "failed_precondition",
      `rewardModel ${dir} has no score head; give the model that the reward stage wrote`,
      { details: { field: "rewardModel", value: dir } },
    );
  }
  return {
    score({ messages }, answers) {
      const sequences = answers.map((content) => {
        return renderChat(tokenizer, [...messages, { role: "assistant", content }]).ids;
      });
      return [...scoreSequences(model, sequences)];
    },
    dispose: () => model.dispose(),
  };
}
