import type { Random } from "@stagecraft/core";
import { ANIMALS, THINGS } from "./names.js";

/**
 * Lumi, the second language of the valley. Its words are drawn from the world's seed; its grammar
 * is regular: `the` is `e`, nouns end in -u, adjectives in -i and follow their noun, verbs in -en.
 * "The red fox sees the lamp." might be "E tamu soni kalen e rotu."
 */
export interface Lumi {
  readonly nouns: readonly string[];
  readonly adjectives: readonly string[];
  readonly verbs: readonly string[];
  /** The Lumi word for an English word of the lexicon; throws RangeError for any other. */
  word(english: string): string;
  /** The translation of a sentence, capitalised, with its full stop. */
  translate(sentence: LumiSentence): string;
}

export interface NounPhrase {
  readonly noun: string;
  readonly adjective?: string;
}

export interface LumiSentence {
  readonly subject: NounPhrase;
  readonly verb: string;
  readonly object: NounPhrase;
}

const ADJECTIVES = ["small", "big", "old", "young", "happy", "quiet", "brave", "clever"];
const VERBS = ["sees", "likes", "finds", "follows", "hears", "wants", "helps", "draws"];

/** A Lumi with the first n words of every class. */
export function createLumi(numWords: { nouns: number; others: number }, random: Random): Lumi {
  const nouns = ANIMALS.flatMap((animal, i) => [animal, THINGS[i]!]).slice(0, numWords.nouns);
  const adjectives = ADJECTIVES.slice(0, numWords.others);
  const verbs = VERBS.slice(0, numWords.others);
  const roots = drawRoots(nouns.length + adjectives.length + verbs.length, random);
  const lexicon = new Map<string, string>([
    ...nouns.map((noun) => [noun, `${roots.pop()!}u`] as const),
    ...adjectives.map((adjective) => [adjective, `${roots.pop()!}i`] as const),
    ...verbs.map((verb) => [verb, `${roots.pop()!}en`] as const),
  ]);
  const word = (english: string) => {
    const known = lexicon.get(english);
    if (known === undefined) throw new RangeError(`Lumi has no word for "${english}"`);
    return known;
  };
  const nounPhrase = ({ noun, adjective }: NounPhrase) =>
    ["e", word(noun), ...(adjective === undefined ? [] : [word(adjective)])].join(" ");
  const translate = ({ subject, verb, object }: LumiSentence) =>
    asSentence(`${nounPhrase(subject)} ${word(verb)} ${nounPhrase(object)}`);
  return { nouns, adjectives, verbs, word, translate };
}

/** The English sentence, e.g. "The red fox sees the lamp." */
export function englishOf({ subject, verb, object }: LumiSentence): string {
  const nounPhrase = ({ noun, adjective }: NounPhrase) =>
    adjective === undefined ? `the ${noun}` : `the ${adjective} ${noun}`;
  return asSentence(`${nounPhrase(subject)} ${verb} ${nounPhrase(object)}`);
}

/** A random sentence; two of three noun phrases have an adjective. Its nouns differ. */
export function drawLumiSentence(lumi: Lumi, random: Random): LumiSentence {
  const nounPhrase = (noun: string): NounPhrase =>
    random.nextInt(3) < 2 ? { noun, adjective: random.pick(lumi.adjectives) } : { noun };
  const subject = random.pick(lumi.nouns);
  const object = random.pick(lumi.nouns.filter((noun) => noun !== subject));
  return {
    subject: nounPhrase(subject),
    verb: random.pick(lumi.verbs),
    object: nounPhrase(object),
  };
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
