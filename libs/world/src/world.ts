import { createRandom, deriveSeed, StagecraftError, type Random } from "@stagecraft/core";
import type { PromptRecord, Ranking } from "@stagecraft/data";
import { writeDocuments } from "./documents.js";
import { createFacts, type Facts } from "./facts.js";
import { scoreAnswer, type GoldScore, type GoldTask } from "./gold.js";
import { createLumi, type Lumi } from "./lumi.js";
import { plantAnswers } from "./planted.js";
import { rankAnswers } from "./labelers.js";
import { candidates } from "./prompts.js";
import { HELD_OUT_ONE_IN, WORLD_SIZES, type WorldSize } from "./sizes.js";
import { wordsOf } from "./text.js";
import { COURTESIES, coreOf, drawTrainer, idealAnswer } from "./trainers.js";
import {
  EXACT_KINDS,
  PROMPT_KINDS,
  type Demonstration,
  type DraftPrompt,
  type PromptKind,
  type WorldDocument,
  type WorldPrompt,
  type WorldSizeName,
} from "./types.js";

export interface WorldOptions {
  readonly seed: number | string;
  readonly size: WorldSizeName;
}

export type Split = "train" | "heldout";

/** A small English world: what is written in it, what is asked, and how answers are judged. */
export interface World {
  readonly seed: number | string;
  readonly size: WorldSizeName;
  readonly facts: Facts;
  readonly lumi: Lumi;
  documents(): WorldDocument[];
  demonstrations(): Demonstration[];
  /** Prompts of a split; none of the held-out ones occurs in any text or demonstration. */
  prompts(split: Split): WorldPrompt[];
  /** Noise-free score of any string as an answer; `not_found` for a prompt of another world. */
  goldScore(prompt: PromptRecord, answer: string): GoldScore;
  /**
   * A wrong and a spoilt answer to plant among the sampled ones before they are rated (checks of
   * attention); `not_found` as above.
   */
  plantAnswers(prompt: PromptRecord, random: Random): [wrong: string, spoilt: string];
  /** A labeler's ranking of 2 or more answers; draws the noise and the labeler from `random`. */
  rate(prompt: PromptRecord, answers: readonly string[], random: Random): Ranking;
}

/** The world of a seed. Everything about it follows from seed and size. */
export function createWorld({ seed, size }: WorldOptions): World {
  const settings = WORLD_SIZES[size];
  const random = createRandom(deriveSeed("world", seed, size));
  const facts = createFacts(settings.entities, random.fork("facts"));
  const lumi = createLumi(
    {
      numWords: settings.lumiWords,
      people: facts.entities.person,
      places: facts.entities.place,
    },
    random.fork("lumi"),
  );
  const isHeldOut = (kind: PromptKind, splitKey: string) =>
    deriveSeed("split", seed, kind, splitKey) % HELD_OUT_ONE_IN === 0;
  const pools = drawPools({ facts, lumi }, settings, random.fork("requests"));
  const byText = new Map(
    Object.values(pools)
      .flat()
      .map((draft) => [draft.text, draft]),
  );
  const documents = () =>
    writeDocuments({ facts, lumi, counts: settings.corpus, isHeldOut }, random.fork("documents"));
  const vocabulary = lazily(() => vocabularyOf(documents(), byText.values()));

  const draftOf = (prompt: PromptRecord): DraftPrompt => {
    const promptText = prompt.messages.at(-1)?.content ?? "";
    const draft = byText.get(promptText);
    if (draft === undefined) throw unknownPrompt(prompt, promptText);
    return draft;
  };
  const taskOf = (prompt: PromptRecord): GoldTask => {
    const { kind, text, key } = draftOf(prompt);
    return { kind, promptText: text, key, vocabulary: vocabulary() };
  };
  const goldScore = (prompt: PromptRecord, answer: string) => scoreAnswer(taskOf(prompt), answer);
  const splitOf = (kind: PromptKind, split: Split) =>
    pools[kind].filter((draft) => isHeldOut(kind, draft.splitKey) === (split === "heldout"));

  return {
    seed,
    size,
    facts,
    lumi,
    documents,
    demonstrations: () => writeDemonstrations(splitOf, settings, random.fork("demonstrations")),
    prompts: (split) => choosePrompts(splitOf, split, { settings, random: random.fork(split) }),
    goldScore,
    plantAnswers: (prompt, noise) => {
      const draft = draftOf(prompt);
      return plantAnswers(draft, pools[draft.kind], noise);
    },
    rate: (prompt, answers, noise) => ({
      id: prompt.id,
      kind: taskOf(prompt).kind,
      prompt: prompt.messages,
      answers: [...answers],
      ...rankAnswers(
        answers.map((answer) => goldScore(prompt, answer)),
        noise,
      ),
    }),
  };
}

type Pools = Readonly<Record<PromptKind, readonly DraftPrompt[]>>;
type SplitOf = (kind: PromptKind, split: Split) => readonly DraftPrompt[];

function drawPools(
  sources: { facts: Facts; lumi: Lumi },
  settings: WorldSize,
  random: Random,
): Pools {
  const entries = PROMPT_KINDS.map((kind) => [
    kind,
    candidates(kind, sources, { count: settings.drawn, random: random.fork(kind) }),
  ]);
  return Object.fromEntries(entries) as Pools;
}

/** Kinds by share; every kind goes through its shuffled pool again and again, so all are covered. */
function writeDemonstrations(
  splitOf: SplitOf,
  settings: WorldSize,
  random: Random,
): Demonstration[] {
  const next = cyclesOf(splitOf, random);
  const turn = (kind: PromptKind) => {
    const { text, key } = next(kind);
    const trainer = drawTrainer(random);
    return { text, trainer, answer: trainer.write(coreOf(kind, key), random) };
  };
  return kindsByShare(settings, settings.demonstrations, random).map((kind, i) => {
    // One in twelve is a conversation that starts with small talk.
    const turns = [...(random.nextInt(12) === 0 ? [turn("smalltalk")] : []), turn(kind)];
    const trainer = turns.at(-1)!.trainer.name;
    return {
      id: `demonstration-${i + 1}`,
      kind,
      trainer,
      messages: turns.flatMap(({ text, answer }) => [
        { role: "user" as const, content: text },
        { role: "assistant" as const, content: answer },
      ]),
    };
  });
}

function choosePrompts(
  splitOf: SplitOf,
  split: Split,
  { settings, random }: { settings: WorldSize; random: Random },
): WorldPrompt[] {
  if (split === "heldout") {
    const chosen = PROMPT_KINDS.flatMap((kind) =>
      random.shuffle([...splitOf(kind, split)]).slice(0, settings.heldOutPerKind),
    );
    return chosen.map((draft, i) => promptOf(draft, `heldout-${i + 1}`));
  }
  const next = cyclesOf(splitOf, random);
  const drafts = kindsByShare(settings, settings.trainPrompts, random).map(next);
  // Small pools run dry and repeat: without another shuffle the last prompts would lack their kinds.
  const distinct = random.shuffle([...new Set(drafts)]);
  return distinct.map((draft, i) => promptOf(draft, `train-${i + 1}`));
}

function cyclesOf(splitOf: SplitOf, random: Random): (kind: PromptKind) => DraftPrompt {
  const queues = new Map<PromptKind, DraftPrompt[]>();
  return (kind) => {
    const queue = queues.get(kind);
    if (queue !== undefined && queue.length > 0) return queue.pop()!;
    const refilled = random.shuffle([...splitOf(kind, "train")]);
    queues.set(kind, refilled);
    return refilled.pop()!;
  };
}

function kindsByShare({ kindShares }: WorldSize, count: number, random: Random): PromptKind[] {
  const deck = PROMPT_KINDS.flatMap((kind) => Array.from({ length: kindShares[kind] }, () => kind));
  const kinds = Array.from({ length: count }, (_, i) => deck[i % deck.length]!);
  return random.shuffle(kinds);
}

function promptOf({ kind, text, key }: DraftPrompt, id: string): WorldPrompt {
  return {
    id,
    kind,
    messages: [{ role: "user", content: text }],
    reference: idealAnswer(kind, key),
    ...(EXACT_KINDS.includes(kind) ? { accepted: [...key.accepted] } : {}),
    key,
  };
}

function vocabularyOf(
  documents: readonly WorldDocument[],
  drafts: Iterable<DraftPrompt>,
): Set<string> {
  const texts = [...documents.map(({ text }) => text), ...COURTESIES];
  for (const { text, key } of drafts) texts.push(text, ...key.accepted, ...key.required.flat());
  return new Set(texts.flatMap(wordsOf));
}

function unknownPrompt(prompt: PromptRecord, text: string): StagecraftError {
  return new StagecraftError(
    "not_found",
    `prompt ${prompt.id} ("${text}") is not one of this world; was it made with another seed or size?`,
    { details: { id: prompt.id } },
  );
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
