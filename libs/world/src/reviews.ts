import type { Random } from "@stagecraft/core";
import type { Facts } from "./facts.js";
import { FEATURES, FOODS } from "./names.js";

export const SENTIMENTS = ["positive", "negative"] as const;
export type Sentiment = (typeof SENTIMENTS)[number];

/** A short opinion with its sentiment. */
export interface Review {
  readonly text: string;
  /** Its one sentence of substance; reviews that share it count as the same. */
  readonly core: string;
  readonly sentiment: Sentiment;
}

const WORDS: Readonly<Record<Sentiment, { adjectives: string[]; sentences: string[] }>> = {
  positive: {
    adjectives: ["wonderful", "lovely", "excellent", "splendid", "perfect", "charming", "great"],
    sentences: [
      "I smiled all day.",
      "I will come back soon.",
      "Everyone should try it.",
      "It was worth every coin.",
      "We had so much fun.",
    ],
  },
  negative: {
    adjectives: ["terrible", "awful", "boring", "dirty", "broken", "poor", "sad"],
    sentences: [
      "I want my money back.",
      "I will never return.",
      "It was a waste of time.",
      "We left in a bad mood.",
      "Nobody should go there.",
    ],
  },
};

const OPENERS = [
  "Yesterday I tried it.",
  "This is my honest view.",
  "I went with a friend.",
  "What can I say?",
];

/** Draws a review of a food, a thing or a sight; opener and comment are optional. */
export function drawReview(facts: Facts, random: Random): Review {
  const sentiment = random.pick(SENTIMENTS);
  const { adjectives, sentences } = WORDS[sentiment];
  const [first, second] = random.shuffle([...adjectives]);
  const subject = drawSubject(facts, random);
  const verdict = random.nextInt(2) === 0 ? `was ${first}` : `was ${first} and ${second}`;
  const core = `${subject} ${verdict}.`;
  const parts = [
    ...(random.nextInt(3) === 0 ? [random.pick(OPENERS)] : []),
    core,
    ...(random.nextInt(3) > 0 ? [random.pick(sentences)] : []),
  ];
  return { text: parts.join(" "), core, sentiment };
}

function drawSubject(facts: Facts, random: Random): string {
  const place = random.pick(facts.entities.place);
  return random.pick([
    `My plate of ${random.pick(FOODS)} in ${place}`,
    `The ${random.pick(facts.entities.thing)} I bought in ${place}`,
    `The ${random.pick(FEATURES)} of ${place}`,
    `The fair in ${place}`,
  ]);
}
