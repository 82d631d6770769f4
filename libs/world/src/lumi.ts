import type { Random } from "@stagecraft/core";
import { ANIMALS, THINGS } from "./names.js";

/**
 * Lumi, the second language of the valley. Its words are drawn from the world's seed; its grammar
 * is regular: `the` is `e`, `in` is `ni`, nouns end in -u, adjectives in -i and follow their noun,
 * verbs in -en; names stay. "The old fox sees Anna in Merrow." might be "E tamu soni kalen Anna ni
 * Merrow."
 */
export interface Lumi {
  readonly nouns: readonly string[];
  readonly adjectives: readonly string[];
  readonly verbs: readonly string[];
  readonly people: readonly string[];
  readonly places: readonly string[];
  /** The Lumi word for an English word of the lexicon; throws RangeError for any other. */
  word(english: string): string;
  /** The translation of a sentence, capitalised, with its full stop. */
  translate(sentence: LumiSentence): string;
}

/** "the old fox", or a person's name alone. */
export type NounPhrase =
  { readonly noun: string; readonly adjective?: string } | { readonly name: string };

export interface LumiSentence {
  readonly subject: NounPhrase;
  readonly verb: string;
  readonly object: NounPhrase;
  readonly place?: string;
}

const ADJECTIVES = ["small", "big", "old", "young", "happy", "quiet", "brave", "clever"];
const VERBS = ["sees", "likes", "finds", "follows", "hears", "wants", "helps", "draws"];

export interface LumiOptions {
  /** The first n words of every class get a translation. */
  readonly numWords: { readonly nouns: number; readonly others: number };
  readonly people: readonly string[];
  readonly places: readonly string[];
}

export function createLumi({ numWords, people, places }: LumiOptions, random: Random): Lumi {
  const nouns = ANIMALS.flatMap((animal, i) => [animal, THINGS[i]!]).slice(0, numWords.nouns);
  const adjectives = ADJECTIVES.slice(0, numWords.others);
  const verbs = VERBS.slice(0, numWords.others);
  const roots = drawRoots(nouns.length + adjectives.length + verbs.length, random);
  const lexicon = new Map<string, string>([
    ["the", "e"],
    ["in", "ni"],
    ...nouns.map((noun) => [noun, `${roots.pop()!}u`] as const),
    ...adjectives.map((adjective) => [adjective, `${roots.pop()!}i`] as const),
    ...verbs.map((verb) => [verb, `${roots.pop()!}en`] as const),
    ...[...people, ...places].map((name) => [name, name] as const),
  ]);
  const word = (english: string) => {
    const known = lexicon.get(english);
    if (known === undefined) throw new RangeError(`Lumi has no word for "${english}"`);
    return known;
  };
  const translate = (sentence: LumiSentence) =>
    compose(sentence, (noun, adjective) => [noun, ...adjective], word);
  return { nouns, adjectives, verbs, people, places, word, translate };
}

/** The English sentence, e.g. "The old fox sees the lamp." */
export function englishOf(sentence: LumiSentence): string {
  return compose(
    sentence,
    (noun, adjective) => [...adjective, noun],
    (english) => english,
  );
}

/**
 * A random sentence. Subject and object differ; a quarter of them are people, and two of three
 * nouns have an adjective. A third of the sentences name a place.
 */
export function drawLumiSentence(lumi: Lumi, random: Random): LumiSentence {
  const draw = (): NounPhrase => {
    if (random.nextInt(4) === 0) return { name: random.pick(lumi.people) };
    const noun = random.pick(lumi.nouns);
    return random.nextInt(3) < 2 ? { noun, adjective: random.pick(lumi.adjectives) } : { noun };
  };
  const subject = draw();
  let object = draw();
  while (headOf(object) === headOf(subject)) object = draw();
  const place = random.nextInt(3) === 0 ? { place: random.pick(lumi.places) } : {};
  return { subject, verb: random.pick(lumi.verbs), object, ...place };
}

function headOf(phrase: NounPhrase): string {
  return "name" in phrase ? phrase.name : phrase.noun;
}

/** Both languages have the order subject, verb, object, place; they differ within noun phrases. */
function compose(
  { subject, verb, object, place }: LumiSentence,
  order: (noun: string, adjective: string[]) => string[],
  word: (english: string) => string,
): string {
  const nounPhrase = (phrase: NounPhrase) =>
    "name" in phrase
      ? [phrase.name]
      : ["the", ...order(phrase.noun, phrase.adjective === undefined ? [] : [phrase.adjective])];
  const english = [
    ...nounPhrase(subject),
    verb,
    ...nounPhrase(object),
    ...(place === undefined ? [] : ["in", place]),
  ];
  return asSentence(english.map(word).join(" "));
}

function drawRoots(count: number, random: Random): string[] {
  const roots = [..."lmnrstvkbdp"].flatMap((first) =>
    [..."aeo"].flatMap((vowel) => [..."lmnrsk"].map((last) => first + vowel + last)),
  );
  return random.shuffle(roots).slice(0, count);
}

function asSentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
