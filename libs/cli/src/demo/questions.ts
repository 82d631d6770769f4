import type { AnswerRecord } from "@stagecraft/eval";

/** Kinds of prompt that show what the model can do; each gives one question. */
const ASKED_KINDS = ["question", "translation", "sentiment", "refusal"];

/** The shortest held-out prompt of each of four kinds: nobody picked them by their answers. */
export function questionsWorthAsking(answers: readonly AnswerRecord[]): string[] {
  return ASKED_KINDS.flatMap((wanted) => {
    const prompts = answers.filter(({ kind }) => kind === wanted).map(({ prompt }) => prompt);
    const [shortest] = prompts.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    return shortest === undefined ? [] : [shortest.replace(/\s+/g, " ").trim()];
  });
}
