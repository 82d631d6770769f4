import type { Random } from "@stagecraft/core";
import type { Facts } from "./facts.js";
import { PEOPLE, FOODS } from "./names.js";

/** A little event of the valley: what the articles and the book are made of. */
export interface Story {
  /** One sentence that says it all; the ideal summary. */
  readonly summary: string;
  /** Three to five sentences. */
  readonly text: string;
  /** Its two sentences of substance; stories that share them count as the same. */
  readonly core: string;
  /** The names and things that a summary has to mention. */
  readonly slots: readonly string[];
}

interface Plot {
  readonly summary: string;
  readonly openings: readonly string[];
  readonly turns: readonly string[];
}

/** {p} and {q} are people, {place} a village, {thing}, {animal} and {food} what they are called. */
const PLOTS: readonly Plot[] = [
  {
    summary: "{p} bought a {thing} in {place}.",
    openings: [
      "{p} went to the fair in {place}.",
      "It was a busy morning in {place}, and {p} was there.",
    ],
    turns: [
      "After a long look around, {she} paid for a {thing}.",
      "A trader had a fine {thing}, and {p} bought it.",
    ],
  },
  {
    summary: "{p} found a {animal} in {place}.",
    openings: ["{p} took a walk in {place}.", "On the way through {place}, {p} heard a noise."],
    turns: ["Behind a wall {she} found a {animal}.", "There, under a tree, was a little {animal}."],
  },
  {
    summary: "{p} lost a {thing} in {place}.",
    openings: ["{p} spent the day in {place}.", "In {place}, {p} looked into every bag."],
    turns: ["At noon the {thing} was gone.", "The {thing} had been lost on the road."],
  },
  {
    summary: "{p} cooked {food} for {q}.",
    openings: ["{p} had a guest last night.", "There was a good smell in the kitchen of {p}."],
    turns: [
      "It was {q}, and there was {food} for supper.",
      "A big pot of {food} was ready when {q} came in.",
    ],
  },
  {
    summary: "{p} helped {q} with the {thing}.",
    openings: ["{p} heard a call for help.", "{p} is a good neighbour."],
    turns: [
      "{q} could not carry the {thing} alone, so {she} took one end.",
      "The {thing} was broken, and {q} was glad about the help.",
    ],
  },
  {
    summary: "{p} drew the {animal} for {q}.",
    openings: ["{p} sat in the garden with a pencil.", "{p} was looking for a present."],
    turns: [
      "Soon there was a {animal} on the paper, and {q} got it.",
      "In the end {she} made a picture of the {animal}, and {q} loved it.",
    ],
  },
];

const ASIDES = [
  "The sun was warm.",
  "It rained a little.",
  "The wind was cold.",
  "Everybody was in a good mood.",
  "Nobody was in a hurry.",
  "Somewhere a bird was singing.",
];

const ENDINGS = [
  "Then it was time to go home.",
  "It was a day to remember.",
  "The neighbours talked about it for a week.",
  "In the evening all was quiet again.",
];

/** Draws a story from the facts' entities. */
export function drawStory(facts: Facts, random: Random): Story {
  const plot = random.pick(PLOTS);
  const slots = drawSlots(facts, random);
  const fill = (template: string) =>
    template.replace(/\{(\w+)\}/g, (_, slot: string) => slots[slot as keyof typeof slots]);
  const [opening, turn] = [fill(random.pick(plot.openings)), fill(random.pick(plot.turns))];
  const sentences = [
    opening,
    ...(random.nextInt(2) === 0 ? [random.pick(ASIDES)] : []),
    turn,
    ...(random.nextInt(2) === 0 ? [random.pick(ENDINGS)] : []),
  ];
  const used = [...plot.summary.matchAll(/\{(\w+)\}/g)].map((match) =>
    fill(match[0]).toLowerCase(),
  );
  return {
    summary: fill(plot.summary),
    text: sentences.join(" "),
    core: `${opening} ${turn}`,
    slots: used,
  };
}

/** The verbs of all summaries: a summary with another plot's verb tells another story. */
export const SUMMARY_VERBS = ["bought", "found", "lost", "cooked", "helped", "drew"];

function drawSlots(facts: Facts, random: Random) {
  const { person, place, thing, animal } = facts.entities;
  const p = random.pick(person);
  return {
    p,
    q: random.pick(person.filter((name) => name !== p)),
    she: PEOPLE.find((known) => known.name === p)!.pronoun,
    place: random.pick(place),
    thing: random.pick(thing),
    animal: random.pick(animal),
    food: random.pick(FOODS),
  };
}
