import type { Random } from "@stagecraft/core";
import { CLOSINGS, coreOf, drawTrainer, OPENINGS } from "./trainers.js";
import { UNKNOWN_ANSWER } from "./prompts.js";
import type { AnswerKey, DraftPrompt } from "./types.js";

/**
 * Two bad answers to plant among the sampled ones, as checks of attention are planted among what
 * people rate: one that is well written but wrong, and one that is spoilt. Without them a reward
 * model sees few wrong answers once SFT is good, and PPO finds its blind spots.
 */
export function plantAnswers(
  draft: DraftPrompt,
  others: readonly DraftPrompt[],
  random: Random,
): [wrong: string, spoilt: string] {
  const trainer = drawTrainer(random);
  const write = (complete: string, short = complete) =>
    trainer.write({ ...coreOf(draft.kind, draft.key), complete, short }, random);
  const rival = rivalAnswer(draft.key, random);
  const stranger = random.pick(others).key.accepted[0]!;
  const wrong = rival !== undefined && random.nextInt(2) === 0 ? rival : stranger;
  return [write(wrong), spoil(write(draft.key.accepted[0]!), draft.key, random)];
}

/** The right sentence with a wrong value at its end; undefined where there is no such sentence. */
function rivalAnswer(
  { accepted, rivals, required }: AnswerKey,
  random: Random,
): string | undefined {
  const [sentence, value] = [accepted[0]!, required[0]?.[0]];
  if (rivals.length === 0 || required.length !== 1 || value === undefined) return undefined;
  const end = `${value}.`;
  if (!sentence.toLowerCase().endsWith(end)) return undefined;
  return `${sentence.slice(0, -end.length)}${random.pick(rivals)}.`;
}

/** One of the ways in which policies go astray. */
function spoil(answer: string, key: AnswerKey, random: Random): string {
  const words = answer.split(" ");
  const ways: (() => string)[] = [
    () => random.shuffle([...words]).join(" "),
    () => `${answer} ${answer}`,
    () => words.flatMap((word) => (random.nextInt(3) === 0 ? [word, word] : [word])).join(" "),
    () => words.slice(0, Math.max(1, Math.floor(words.length / 2))).join(" "),
    () => [...random.shuffle([...OPENINGS]), ...CLOSINGS].slice(0, 2).join(" "),
    () => [random.pick(OPENINGS), random.pick(OPENINGS), answer, random.pick(CLOSINGS)].join(" "),
    () => (key.unknown ? answer.toLowerCase() : `${random.pick(OPENINGS)} ${UNKNOWN_ANSWER}`),
    () => words.map((word) => (random.nextInt(3) === 0 ? garble(word, random) : word)).join(" "),
  ];
  return random.pick(ways)();
}

function garble(word: string, random: Random): string {
  const cut = 1 + random.nextInt(Math.max(1, word.length - 1));
  return word.slice(0, cut) + random.pick(["or", "Ton", "re", "How", "eng"]) + word.slice(cut + 1);
}
