import type { Random } from "@stagecraft/core";
import { phrase, type Fact, type Facts } from "./facts.js";
import { drawLumiSentence, englishOf, type Lumi } from "./lumi.js";
import { ASKS, completionPrompts, factQuestions, sequenceLines } from "./prompts.js";
import { drawReview } from "./reviews.js";
import { drawRefusal, drawSmallTalk } from "./small-talk.js";
import { drawStory, type Story } from "./stories.js";
import { COURTESIES } from "./trainers.js";
import type { PromptKind, WorldDocument } from "./types.js";

/** How many texts of each kind the corpus holds. */
export interface CorpusCounts {
  readonly encyclopediaEditions: number;
  readonly chapters: number;
  readonly articles: number;
  readonly forumAnswersPerQuestion: number;
  readonly forumAnswersPerCompletion: number;
  readonly reviews: number;
  readonly letters: number;
  readonly lessons: number;
  readonly memoryGames: number;
}

export interface CorpusSources {
  readonly facts: Facts;
  readonly lumi: Lumi;
  readonly counts: CorpusCounts;
  /** Texts for which this holds stay out of the corpus: they are held-out prompts. */
  isHeldOut(kind: PromptKind, splitKey: string): boolean;
}

/** All texts of the corpus, in reading order. */
export function writeDocuments(sources: CorpusSources, random: Random): WorldDocument[] {
  return [
    ...encyclopedia(sources, random.fork("encyclopedia")),
    ...book(sources, random.fork("book")),
    ...articles(sources, random.fork("articles")),
    ...questionPosts(sources, random.fork("questions")),
    ...completionPosts(sources, random.fork("completions")),
    ...reviewPosts(sources, random.fork("reviews")),
    ...letterPosts(sources, random.fork("letters")),
    ...lumiLessons(sources, random.fork("lessons")),
    ...countingTutorials(sources, random.fork("counting")),
    ...memoryGames(sources, random.fork("memory")),
    ...mannersTutorials(sources, random.fork("manners")),
  ];
}

function encyclopedia({ facts, counts }: CorpusSources, random: Random): WorldDocument[] {
  const entities = Object.values(facts.entities).flat();
  return Array.from({ length: counts.encyclopediaEditions }, (_, edition) =>
    random.shuffle([...entities]).map((entity) => ({
      file: "encyclopedia.jsonl",
      title: `${capitalise(entity)} (edition ${edition + 1})`,
      text: `${capitalise(entity)}. ${portrait(facts.about(entity), random)}`,
    })),
  ).flat();
}

/** Everything about an entity, in random order and wording: two statements of every fact. */
function portrait(facts: readonly Fact[], random: Random): string {
  const sentences = facts.flatMap((fact) =>
    random
      .shuffle([...fact.relation.statements])
      .slice(0, 2)
      .map((statement) => phrase(statement, fact)),
  );
  return random.shuffle(sentences).join(" ");
}

function book(sources: CorpusSources, random: Random): WorldDocument[] {
  const { facts, counts } = sources;
  return Array.from({ length: counts.chapters }, (_, chapter) => {
    const story = freshStory(sources, random);
    const known = facts.all.filter((fact) => story.slots.includes(fact.entity.toLowerCase()));
    const asides = random.shuffle([...known]).slice(0, 4);
    const thoughts = asides.map((fact) => phrase(random.pick(fact.relation.statements), fact));
    const title = `Chapter ${chapter + 1}`;
    return {
      file: `book/part-${volume(chapter, 10)}.txt`,
      title,
      text: `${title}\n\n${story.text}\n\n${thoughts.join(" ")}\n\nSo ${lowerArticle(story.summary)}`,
    };
  });
}

function articles(sources: CorpusSources, random: Random): WorldDocument[] {
  return Array.from({ length: sources.counts.articles }, (_, i) => {
    const story = freshStory(sources, random);
    return {
      file: `articles/issue-${volume(i, 20)}.md`,
      title: `News ${i + 1}`,
      text: `# News of the valley\n\n${story.text}\n\nIn short: ${story.summary}`,
    };
  });
}

function questionPosts(
  { facts, counts, isHeldOut }: CorpusSources,
  random: Random,
): WorldDocument[] {
  const open = factQuestions(facts).filter((draft) => !isHeldOut("question", draft.splitKey));
  const posts = open.flatMap((draft) =>
    Array.from({ length: counts.forumAnswersPerQuestion }, () => {
      const answer = draft.key.accepted[random.pick([0, 0, 2, 3])]!;
      return post(facts, random, [draft.text, answer]);
    }),
  );
  return random.shuffle(posts);
}

function completionPosts(
  { facts, counts, isHeldOut }: CorpusSources,
  random: Random,
): WorldDocument[] {
  const open = completionPrompts(facts).filter((draft) => !isHeldOut("completion", draft.splitKey));
  const posts = open.flatMap((draft) =>
    Array.from({ length: counts.forumAnswersPerCompletion }, () =>
      post(facts, random, [draft.text, draft.key.accepted[0]!]),
    ),
  );
  return random.shuffle(posts);
}

function reviewPosts({ facts, counts, isHeldOut }: CorpusSources, random: Random): WorldDocument[] {
  return fresh(counts.reviews, () => {
    const review = drawReview(facts, random);
    const verdict = `The review is ${review.sentiment}.`;
    return isHeldOut("sentiment", review.core)
      ? undefined
      : post(facts, random, [review.text, verdict]);
  });
}

function letterPosts({ facts, counts, isHeldOut }: CorpusSources, random: Random): WorldDocument[] {
  return fresh(counts.letters, () => {
    const kind = random.nextInt(3) === 0 ? "refusal" : "smalltalk";
    const { prompt, reply } = (kind === "refusal" ? drawRefusal : drawSmallTalk)(facts, random);
    return isHeldOut(kind, prompt) ? undefined : post(facts, random, [prompt, reply]);
  });
}

function lumiLessons({ lumi, counts, isHeldOut }: CorpusSources, random: Random): WorldDocument[] {
  const lines = fresh(counts.lessons * 6, () => {
    const sentence = drawLumiSentence(lumi, random);
    const english = englishOf(sentence);
    if (isHeldOut("translation", english)) return undefined;
    return `${english} In Lumi: ${lumi.translate(sentence)}`;
  });
  const words = [...lumi.nouns, ...lumi.adjectives, ...lumi.verbs];
  return Array.from({ length: counts.lessons }, (_, lesson) => {
    const drill = random.shuffle([...words]).slice(0, 6);
    const list = drill.map((word) => `${word} is ${lumi.word(word)}`).join(", ");
    const title = `Lumi lesson ${lesson + 1}`;
    const examples = lines.slice(lesson * 6, lesson * 6 + 6).join("\n");
    return {
      file: `tutorials/lumi-${volume(lesson, 10)}.md`,
      title,
      text: `# Lumi lesson\n\nWords: ${list}.\n\n${examples}`,
    };
  });
}

function countingTutorials({ counts }: CorpusSources, random: Random): WorldDocument[] {
  return Array.from({ length: Math.ceil(counts.lessons / 3) }, (_, i) => ({
    file: `tutorials/order-${volume(i, 15)}.md`,
    title: "In order",
    text: `# How to put things in order\n\n${random.shuffle(sequenceLines()).join("\n")}`,
  }));
}

/**
 * A game of the valley: one player names things, the next repeats them. Repeated random words are
 * what makes a transformer learn to copy early (Olsson et al. 2022, induction heads), and copying
 * names is what summaries, translations and answers need.
 */
function memoryGames({ facts, lumi, counts }: CorpusSources, random: Random): WorldDocument[] {
  const { person, animal, place, thing } = facts.entities;
  const words = [...person, ...place, ...animal, ...thing, ...lumi.adjectives];
  return Array.from({ length: counts.memoryGames }, (_, game) => {
    const rounds = Array.from({ length: 2 }, () => {
      // Names stand in the bag twice: they are what has to be copied most.
      const bag = random.shuffle([...person, ...place, ...words]);
      const list = [...new Set(bag)].slice(0, 4 + random.nextInt(5));
      const [first, second] = random.shuffle([...person]);
      const said = list.join(", ");
      return `${first} says: ${said}.\n${second} repeats: ${said}.`;
    });
    const text = `# The memory game\n\n${rounds.join("\n")}`;
    return {
      file: `tutorials/memory-game-${volume(game, 10)}.md`,
      title: `Memory game ${game + 1}`,
      text,
    };
  });
}

/** Brings the words of prompts and courtesies into the corpus, and so into the tokenizer. */
function mannersTutorials({ counts }: CorpusSources, random: Random): WorldDocument[] {
  const asks = Object.values(ASKS)
    .flat()
    .map((ask) => `You may ask like this: "${ask}"`);
  const courtesies = COURTESIES.map((sentence) => `You may hear: "${sentence}"`);
  return Array.from({ length: Math.ceil(counts.lessons / 8) }, (_, i) => ({
    file: `tutorials/manners-${volume(i, 10)}.md`,
    title: "How to ask and answer",
    text: `# How to ask and answer\n\n${random.shuffle([...asks, ...courtesies]).join("\n")}`,
  }));
}

function post(facts: Facts, random: Random, lines: readonly [string, string]): WorldDocument {
  const title = `Post by ${random.pick(facts.entities.person)}`;
  return { file: "forum.jsonl", title, text: `Post: ${lines[0]}\nReply: ${lines[1]}` };
}

function freshStory({ facts, isHeldOut }: CorpusSources, random: Random): Story {
  return fresh(1, () => {
    const story = drawStory(facts, random);
    return isHeldOut("summary", story.core) ? undefined : story;
  })[0]!;
}

/** Draws until there are `count` results; `undefined` means "not this one". */
function fresh<T>(count: number, draw: () => T | undefined): T[] {
  const kept: T[] = [];
  while (kept.length < count) {
    const item = draw();
    if (item !== undefined) kept.push(item);
  }
  return kept;
}

/**
 * Number of the file for text `index`. Readers take a .txt or .md file as one document and may hold
 * whole documents back for validation, so no file may be all there is of its kind.
 */
function volume(index: number, textsPerFile: number): string {
  return String(Math.floor(index / textsPerFile) + 1).padStart(3, "0");
}

function lowerArticle(sentence: string): string {
  return sentence.replace(/^The /, "the ");
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
