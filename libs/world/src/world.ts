import { createRandom, deriveSeed, StagecraftError, type Random } from "@stagecraft/core";
import type { PromptRecord, Ranking } from "@stagecraft/data";
import { writeDocuments } from "./documents.js";
import { createFacts, type Facts } from "./facts.js";
import { scoreAnswer, type GoldScore, type GoldTask } from "./gold.js";
import { createLumi, type Lumi } from "./lumi.js";
import { plantAnswers } from "./planted.js";
import { rankAnswers } from "./raters.js";
import { candidates } from "./requests.js";
import { HELD_OUT_ONE_IN, WORLD_SIZES, type WorldSize } from "./sizes.js";
import { wordsOf } from "./text.js";
import { COURTESIES, coreOf, drawTrainer, idealAnswer } from "./trainers.js";
import {
  EXACT_KINDS,
  REQUEST_KINDS,
  type Demonstration,
  type DraftRequest,
  type RequestKind,
  type WorldDocument,
  type WorldRequest,
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
  /** Requests of a split; none of the held-out ones occurs in any text or demonstration. */
  requests(split: Split): WorldRequest[];
  /** Noise-free score of any string as an answer; `not_found` for a request of another world. */
  goldScore(request: PromptRecord, answer: string): GoldScore;
  /**
   * A wrong and a spoilt answer to plant among the sampled ones before they are rated (checks of
   * attention); `not_found` as above.
   */
  plantAnswers(request: PromptRecord, random: Random): [wrong: string, spoilt: string];
  /** A rater's ranking of 2 or more answers; draws the noise and the rater from `random`. */
  rate(request: PromptRecord, answers: readonly string[], random: Random): Ranking;
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
  const isHeldOut = (kind: RequestKind, splitKey: string) =>
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

  const draftOf = (request: PromptRecord): DraftRequest => {
    const requestText = request.messages.at(-1)?.content ?? "";
    const draft = byText.get(requestText);
    if (draft === undefined) throw unknownRequest(request, requestText);
    return draft;
  };
  const taskOf = (request: PromptRecord): GoldTask => {
    const { kind, text, key } = draftOf(request);
    return { kind, requestText: text, key, vocabulary: vocabulary() };
  };
  const goldScore = (request: PromptRecord, answer: string) => scoreAnswer(taskOf(request), answer);
  const splitOf = (kind: RequestKind, split: Split) =>
    pools[kind].filter((draft) => isHeldOut(kind, draft.splitKey) === (split === "heldout"));

  return {
    seed,
    size,
    facts,
    lumi,
    documents,
    demonstrations: () => writeDemonstrations(splitOf, settings, random.fork("demonstrations")),
    requests: (split) => chooseRequests(splitOf, split, { settings, random: random.fork(split) }),
    goldScore,
    plantAnswers: (request, noise) => {
      const draft = draftOf(request);
      return plantAnswers(draft, pools[draft.kind], noise);
    },
    rate: (request, answers, noise) => ({
      id: request.id,
      kind: taskOf(request).kind,
      prompt: request.messages,
      answers: [...answers],
      ...rankAnswers(
        answers.map((answer) => goldScore(request, answer)),
        noise,
      ),
    }),
  };
}

type Pools = Readonly<Record<RequestKind, readonly DraftRequest[]>>;
type SplitOf = (kind: RequestKind, split: Split) => readonly DraftRequest[];

function drawPools(
  sources: { facts: Facts; lumi: Lumi },
  settings: WorldSize,
  random: Random,
): Pools {
  const entries = REQUEST_KINDS.map((kind) => [
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
  const turn = (kind: RequestKind) => {
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

function chooseRequests(
  splitOf: SplitOf,
  split: Split,
  { settings, random }: { settings: WorldSize; random: Random },
): WorldRequest[] {
  if (split === "heldout") {
    const chosen = REQUEST_KINDS.flatMap((kind) =>
      random.shuffle([...splitOf(kind, split)]).slice(0, settings.heldOutPerKind),
    );
    return chosen.map((draft, i) => requestOf(draft, `heldout-${i + 1}`));
  }
  const next = cyclesOf(splitOf, random);
  const drafts = kindsByShare(settings, settings.trainRequests, random).map(next);
  // Small pools run dry and repeat: without another shuffle the last requests would lack their kinds.
  const distinct = random.shuffle([...new Set(drafts)]);
  return distinct.map((draft, i) => requestOf(draft, `train-${i + 1}`));
}

function cyclesOf(splitOf: SplitOf, random: Random): (kind: RequestKind) => DraftRequest {
  const queues = new Map<RequestKind, DraftRequest[]>();
  return (kind) => {
    const queue = queues.get(kind);
    if (queue !== undefined && queue.length > 0) return queue.pop()!;
    const refilled = random.shuffle([...splitOf(kind, "train")]);
    queues.set(kind, refilled);
    return refilled.pop()!;
  };
}

function kindsByShare({ kindShares }: WorldSize, count: number, random: Random): RequestKind[] {
  const deck = REQUEST_KINDS.flatMap((kind) =>
    Array.from({ length: kindShares[kind] }, () => kind),
  );
  const kinds = Array.from({ length: count }, (_, i) => deck[i % deck.length]!);
  return random.shuffle(kinds);
}

function requestOf({ kind, text, key }: DraftRequest, id: string): WorldRequest {
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
  drafts: Iterable<DraftRequest>,
): Set<string> {
  const texts = [...documents.map(({ text }) => text), ...COURTESIES];
  for (const { text, key } of drafts) texts.push(text, ...key.accepted, ...key.required.flat());
  return new Set(texts.flatMap(wordsOf));
}

function unknownRequest(request: PromptRecord, text: string): StagecraftError {
  return new StagecraftError(
    "not_found",
    `request ${request.id} ("${text}") is not one of this world; was it made with another seed or size?`,
    { details: { id: request.id } },
  );
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
