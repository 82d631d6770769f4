import { has, stringField } from "@stagecraft/data";
import { strip } from "./python-text.js";
import type { TaskShape } from "./shape.js";

/**
 * GSM8K [Cobbe et al. 2021]: sums in words. `exact_match_strict` reads the number after the first `####`
 * of the answer, `exact_match_flexible` the last number anywhere.
 */
export const gsm8kShape: TaskShape = {
  name: "gsm8k",
  questionSplits: ["test"],
  exampleSplits: ["train"],
  numShots: 5,
  examples: "drawn",
  stop: ["Question:", "</s>", "<|im_end|>"],
  maxNewTokens: 256,
  matches: ({ answer, ...fields }) =>
    has(fields, "question") && typeof answer === "string" && answer.includes("####"),
  item(fields) {
    const target = stringField(fields, "answer");
    const right = normal(target);
    return {
      question: `Question: ${stringField(fields, "question")}\nAnswer:`,
      target,
      check: (answer) => ({
        exact_match_strict: [normal(afterMark(answer)) === right ? 1 : 0],
        exact_match_flexible: [normal(lastNumber(answer)) === right ? 1 : 0],
      }),
    };
  },
};

const NONE = "[invalid]";

function afterMark(answer: string): string {
  return strip(/#### (-?[0-9.,]+)/.exec(answer)?.[1] ?? NONE);
}

function lastNumber(answer: string): string {
  return strip([...answer.matchAll(/-?[$0-9.,]{2,}|-?[0-9]+/g)].at(-1)?.[0] ?? NONE);
}

/** What lm-eval ignores: commas, dollars, all before the mark, a full stop at the end, case. */
function normal(text: string): string {
  return text
    .replace(/,/g, "")
    .replace(/\$/g, "")
    .replace(/[^]*#### /g, "")
    .replace(/\.(?=\n?$)/g, "")
    .toLowerCase();
}
