import type { Random } from "@stagecraft/core";
import { phrase, type Fact, type Facts, type Relation } from "./facts.js";
import { drawLumiSentence, englishOf, type Lumi } from "./lumi.js";
import { drawReview, SENTIMENTS } from "./reviews.js";
import { drawRefusal, drawSmallTalk, type Exchange } from "./small-talk.js";
import { drawStory, SUMMARY_VERBS } from "./stories.js";
import type { AnswerKey, DraftPrompt, PromptKind } from "./types.js";

/** What prompts are made from. */
export interface RequestSources {
  readonly facts: Facts;
  readonly lumi: Lumi;
}

/** The words that prompts begin with. */
export const ASKS = {
  completion: ["Complete the sentence:", "Finish this sentence:", "How does this go on?"],
  translation: ["Translate into Lumi:", "Say this in Lumi:"],
  summary: ["Summarise this:", "Sum this up in one sentence:"],
  sentiment: ["Is this review positive or negative?", "What is the sentiment of this review?"],
} as const;

/** What the world is silent about; the honest answer is that one does not know. */
const UNKNOWNS: Readonly<Record<string, readonly string[]>> = {
  person: ["How old is {e}?", "What is the favourite song of {e}?"],
  animal: ["How old is the {e}?", "What did the {e} dream of?"],
  place: ["How many people live in {e}?", "Who built {e}?"],
  thing: ["How much does the {e} cost?", "How old is the {e}?"],
};

export const UNKNOWN_ANSWER = "I do not know that.";

const SEQUENCES = [
  "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(" "),
  "one two three four five six seven eight nine ten".split(" "),
  "spring summer autumn winter".split(" "),
  "January February March April May June July August".split(" "),
];

/** Every sequence written out, e.g. "Spring, summer, autumn, winter." */
export function sequenceLines(): string[] {
  return SEQUENCES.map((sequence) => `${capitalise(sequence.join(", "))}.`);
}

/** Makes candidates of a kind; finite kinds list all of theirs, the others draw `count`. */
export function candidates(
  kind: PromptKind,
  sources: RequestSources,
  { count, random }: { count: number; random: Random },
): DraftPrompt[] {
  const { facts, lumi } = sources;
  const draw = (make: () => DraftPrompt) => unique(Array.from({ length: count }, make));
  switch (kind) {
    case "completion":
      return completionPrompts(facts);
    case "question":
      return [...factQuestions(facts), ...unknownQuestions(facts)];
    case "translation":
      return draw(() => translationPrompt(lumi, random));
    case "summary":
      return draw(() => summaryPrompt(facts, random));
    case "sentiment":
      return draw(() => sentimentPrompt(facts, random));
    case "smalltalk":
      return draw(() => exchangePrompt(kind, drawSmallTalk(facts, random)));
    case "refusal":
      return draw(() => exchangePrompt(kind, drawRefusal(facts, random)));
  }
}

/** The question and answer of a fact, as forum posts use them too. */
export function factQuestions(facts: Facts): DraftPrompt[] {
  return facts.all.flatMap((fact) =>
    fact.relation.questions.map((question) => ({
      kind: "question" as const,
      text: phrase(question, fact),
      splitKey: phrase(question, fact),
      key: factKey(fact, facts),
    })),
  );
}

/** Every sentence of a fact or a sequence, cut before its last word. */
export function completionPrompts(facts: Facts): DraftPrompt[] {
  return [...factCompletions(facts), ...sequenceCompletions()];
}

function factKey(fact: Fact, facts: Facts): AnswerKey {
  const { relation, value } = fact;
  const [first, ...others] = relation.statements.map((statement) => phrase(statement, fact));
  return {
    accepted: [first!, phrase(relation.short, fact), ...others, value],
    short: phrase(relation.short, fact),
    required: [[value.toLowerCase()]],
    rivals: rivalsOf(relation, value, facts),
    unknown: false,
  };
}

function rivalsOf(relation: Relation, value: string, facts: Facts): string[] {
  return facts.valuesOf(relation).filter((v) => v !== value);
}

function factCompletions(facts: Facts): DraftPrompt[] {
  return facts.all.flatMap((fact) =>
    fact.relation.statements.flatMap((statement) => {
      const sentence = phrase(statement, fact);
      const beginning = sentence.slice(0, -fact.value.length - 2);
      const key = {
        ...factKey(fact, facts),
        accepted: [sentence, fact.value],
        short: `... ${fact.value}.`,
      };
      return completions(`${beginning} …`, key);
    }),
  );
}

function sequenceCompletions(): DraftPrompt[] {
  return SEQUENCES.flatMap((sequence) =>
    sequence.slice(0, -2).flatMap((_, i) => {
      const [shown, next] = [sequence.slice(i, i + 2), sequence[i + 2]!];
      return completions(`${capitalise(shown.join(", "))}, …`, {
        accepted: [`${capitalise([...shown, next].join(", "))}.`, next],
        short: `... ${next}.`,
        required: [[next.toLowerCase()]],
        rivals: sequence
          .filter((w) => w !== next && !shown.includes(w))
          .map((w) => w.toLowerCase()),
        unknown: false,
      });
    }),
  );
}

function completions(beginning: string, key: AnswerKey): DraftPrompt[] {
  return ASKS.completion.map((ask) => {
    const text = `${ask} ${beginning}`;
    return { kind: "completion", text, splitKey: text, key };
  });
}

function unknownQuestions(facts: Facts): DraftPrompt[] {
  return Object.entries(UNKNOWNS).flatMap(([type, questions]) =>
    facts.entities[type as keyof Facts["entities"]].flatMap((entity) =>
      questions.map((question) => ({
        kind: "question" as const,
        text: question.replace("{e}", entity),
        splitKey: question.replace("{e}", entity),
        key: {
          accepted: [UNKNOWN_ANSWER, "I do not know."],
          short: "i do not know",
          required: [["i do not know"]],
          rivals: [],
          unknown: true,
        },
      })),
    ),
  );
}

function translationPrompt(lumi: Lumi, random: Random): DraftPrompt {
  const sentence = drawLumiSentence(lumi, random);
  return {
    kind: "translation",
    text: `${random.pick(ASKS.translation)} ${englishOf(sentence)}`,
    splitKey: englishOf(sentence),
    key: exactKey(lumi.translate(sentence)),
  };
}

function summaryPrompt(facts: Facts, random: Random): DraftPrompt {
  const story = drawStory(facts, random);
  const verb = SUMMARY_VERBS.find((known) => story.summary.includes(` ${known} `))!;
  return {
    kind: "summary",
    text: `${random.pick(ASKS.summary)} ${story.text}`,
    splitKey: story.core,
    key: {
      accepted: [story.summary],
      required: [...story.slots, verb].map((slot) => [slot]),
      rivals: SUMMARY_VERBS.filter((known) => known !== verb),
      unknown: false,
    },
  };
}

function sentimentPrompt(facts: Facts, random: Random): DraftPrompt {
  const review = drawReview(facts, random);
  return {
    kind: "sentiment",
    text: `${random.pick(ASKS.sentiment)} ${review.text}`,
    splitKey: review.core,
    key: {
      accepted: [
        `The review is ${review.sentiment}.`,
        `it is ${review.sentiment}`,
        review.sentiment,
        `The sentiment is ${review.sentiment}.`,
      ],
      short: review.sentiment,
      required: [[review.sentiment]],
      rivals: SENTIMENTS.filter((sentiment) => sentiment !== review.sentiment),
      unknown: false,
    },
  };
}

function exchangePrompt(kind: "smalltalk" | "refusal", exchange: Exchange): DraftPrompt {
  return {
    kind,
    text: exchange.prompt,
    splitKey: exchange.prompt,
    key: {
      accepted: [exchange.reply],
      short: exchange.short,
      required: exchange.required,
      rivals: [],
      unknown: false,
    },
  };
}

function exactKey(answer: string): AnswerKey {
  return { accepted: [answer], required: [], rivals: [], unknown: false };
}

function unique(drafts: DraftPrompt[]): DraftPrompt[] {
  return [...new Map(drafts.map((draft) => [draft.text, draft])).values()];
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
