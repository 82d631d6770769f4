import type { Random } from "@stagecraft/core";
import * as names from "./names.js";

/** What kind of entity a relation speaks of. */
export type EntityType = "person" | "animal" | "place" | "thing";

/**
 * A relation between an entity and a value, with the sentences that state and ask for it.
 * `{e}` is the entity, `{v}` the value. The first statement is the one that answers a question.
 */
export interface Relation {
  readonly name: string;
  readonly type: EntityType;
  /** Every statement ends in `{v}.`, so that each is also a sentence to complete. */
  readonly statements: readonly string[];
  readonly questions: readonly string[];
  /** The shortest right answer. */
  readonly short: string;
}

export interface Fact {
  readonly relation: Relation;
  readonly entity: string;
  readonly value: string;
}

const RELATIONS: readonly Relation[] = [
  {
    name: "job",
    type: "person",
    statements: ["{e} works as a {v}.", "{e} is a {v}.", "For a living, {e} is a {v}."],
    questions: [
      "What is the job of {e}?",
      "What does {e} do for a living?",
      "What work does {e} do?",
    ],
    short: "a {v}",
  },
  {
    name: "home",
    type: "person",
    statements: [
      "{e} lives in {v}.",
      "The home of {e} is in {v}.",
      "{e} has a small house in {v}.",
    ],
    questions: [
      "Where does {e} live?",
      "In which village does {e} live?",
      "Where is the home of {e}?",
    ],
    short: "in {v}",
  },
  {
    name: "food",
    type: "person",
    statements: [
      "{e} likes to eat {v}.",
      "The favourite food of {e} is {v}.",
      "For supper, {e} always wants {v}.",
    ],
    questions: [
      "What does {e} like to eat?",
      "What is the favourite food of {e}?",
      "Which food does {e} love most?",
    ],
    short: "it is {v}",
  },
  {
    name: "hobby",
    type: "person",
    statements: [
      "In the evening {e} likes to {v}.",
      "On free days {e} goes out to {v}.",
      "After work, {e} loves to {v}.",
    ],
    questions: [
      "What does {e} like to do in the evening?",
      "What does {e} do on free days?",
      "What does {e} love to do after work?",
    ],
    short: "to {v}",
  },
  {
    name: "seat",
    type: "animal",
    statements: [
      "The {e} sat on the {v}.",
      "You will find the {e} on the {v}.",
      "The {e} rests on the {v}.",
    ],
    questions: ["Where did the {e} sit?", "Where does the {e} rest?", "On what did the {e} sit?"],
    short: "on the {v}",
  },
  {
    name: "feed",
    type: "animal",
    statements: [
      "The {e} eats {v}.",
      "The {e} is always hungry for {v}.",
      "What the {e} likes best is {v}.",
    ],
    questions: [
      "What does the {e} eat?",
      "What is the {e} hungry for?",
      "What should I feed the {e}?",
    ],
    short: "it eats {v}",
  },
  {
    name: "colour",
    type: "animal",
    statements: [
      "The {e} is {v}.",
      "The colour of the {e} is {v}.",
      "Everybody knows that the {e} is {v}.",
    ],
    questions: [
      "What colour is the {e}?",
      "Which colour does the {e} have?",
      "What is the colour of the {e}?",
    ],
    short: "it is {v}",
  },
  {
    name: "bed",
    type: "animal",
    statements: [
      "The {e} sleeps in the {v}.",
      "At night the {e} hides in the {v}.",
      "The {e} has its bed in the {v}.",
    ],
    questions: [
      "Where does the {e} sleep?",
      "Where is the {e} at night?",
      "Where is the bed of the {e}?",
    ],
    short: "in the {v}",
  },
  {
    name: "feature",
    type: "place",
    statements: [
      "{e} is known for its {v}.",
      "Visitors come to {e} to see the {v}.",
      "The pride of {e} is the {v}.",
    ],
    questions: [
      "What is {e} known for?",
      "What can visitors see in {e}?",
      "What is the pride of {e}?",
    ],
    short: "for its {v}",
  },
  {
    name: "water",
    type: "place",
    statements: [
      "{e} lies by the {v}.",
      "The houses of {e} stand near the {v}.",
      "From {e} you can see the {v}.",
    ],
    questions: [
      "Where does {e} lie?",
      "Where do the houses of {e} stand?",
      "What can you see from {e}?",
    ],
    short: "by the {v}",
  },
  {
    name: "material",
    type: "thing",
    statements: [
      "The {e} is made of {v}.",
      "Somebody made the {e} out of {v}.",
      "The old {e} is all {v}.",
    ],
    questions: [
      "What is the {e} made of?",
      "Which material is the {e}?",
      "What did they make the {e} out of?",
    ],
    short: "of {v}",
  },
  {
    name: "owner",
    type: "thing",
    statements: [
      "The {e} belongs to {v}.",
      "The owner of the {e} is {v}.",
      "If you need the {e}, ask {v}.",
    ],
    questions: ["Who owns the {e}?", "Whose is the {e}?", "Who is the owner of the {e}?"],
    short: "it is {v}",
  },
];

/** How many entities of each type the world has. */
export interface EntityCounts {
  readonly person: number;
  readonly animal: number;
  readonly place: number;
  readonly thing: number;
}

/** Everything that is true in the world. */
export interface Facts {
  readonly all: readonly Fact[];
  readonly entities: Readonly<Record<EntityType, readonly string[]>>;
  /** The values that occur for a relation: the right one and its rivals. */
  valuesOf(relation: Relation): readonly string[];
  valueOf(relationName: string, entity: string): string;
  about(entity: string): readonly Fact[];
}

/** Draws the facts: each relation pairs the first n entities with its values in random order. */
export function createFacts(counts: EntityCounts, random: Random): Facts {
  const entities = {
    person: names.PEOPLE.slice(0, counts.person).map((person) => person.name),
    animal: names.ANIMALS.slice(0, counts.animal),
    place: names.PLACES.slice(0, counts.place),
    thing: names.THINGS.slice(0, counts.thing),
  };
  const all = RELATIONS.flatMap((relation) =>
    pair(relation, entities[relation.type], valuePool(relation.name, entities), random),
  );
  return indexFacts(all, entities);
}

/** Fills a statement, question or short form. */
export function phrase(template: string, fact: Fact): string {
  return template.replaceAll("{e}", fact.entity).replaceAll("{v}", fact.value);
}

function pair(
  relation: Relation,
  owners: readonly string[],
  pool: readonly string[],
  random: Random,
): Fact[] {
  const fixed = relation.name === "seat" ? 1 : 0; // the cat sat on the mat
  const rest = pool.slice(fixed, Math.max(owners.length, fixed));
  const values = [...pool.slice(0, fixed), ...random.fork(relation.name).shuffle(rest)];
  return owners.map((entity, i) => ({ relation, entity, value: values[i % values.length]! }));
}

function valuePool(relation: string, entities: Facts["entities"]): readonly string[] {
  const pools: Record<string, readonly string[]> = {
    job: names.JOBS,
    home: entities.place,
    food: names.FOODS,
    hobby: names.HOBBIES,
    seat: names.SEATS,
    feed: names.FEEDS,
    colour: names.COLOURS,
    bed: names.BEDS,
    feature: names.FEATURES,
    water: names.WATERS,
    material: names.MATERIALS,
    owner: entities.person,
  };
  return pools[relation]!;
}

function indexFacts(all: readonly Fact[], entities: Facts["entities"]): Facts {
  const byKey = new Map(all.map((fact) => [`${fact.relation.name}/${fact.entity}`, fact.value]));
  const values = new Map<string, Set<string>>();
  for (const fact of all) {
    const known = values.get(fact.relation.name) ?? new Set();
    values.set(fact.relation.name, known.add(fact.value));
  }
  return {
    all,
    entities,
    valuesOf: (relation) => [...(values.get(relation.name) ?? [])],
    valueOf: (relation, entity) => byKey.get(`${relation}/${entity}`)!,
    about: (entity) => all.filter((fact) => fact.entity === entity),
  };
}
