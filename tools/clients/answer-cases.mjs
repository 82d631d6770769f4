// answer-cases.mjs COUNT SEED: prompts of IFEval's kind, and some of GSM8K's, with an answer each and what
// `ifeval-like` and `gsm8k` say of it, a JSON line each. The answers are pieces that the instructions look for, mixed with signs that
// Python and JavaScript might see differently.
import { shapeNamed } from "../../libs/eval/dist/tasks/shapes/table.js";
import { createRandom } from "../../libs/core/dist/index.js";

const PIECES = [
  ..."fox|FOX |foxes|Owl|owl, |'owl'|\"owl|öwl|FÖX|a fox. |the owl sings at night|1|12|２|٣|_| ".split(
    "|",
  ),
  ..." |  |\t|\n|\n\n|\n\n\n|\r\n|\r|\u00a0|\u2003|\u2028|\x1c|\x85|\ufeff|\u200b".split("|"),
  ..."*|**|***|******|* a|\n* a|\n - b|\n-|- b\n|**a**|*a b*|* *|[x]|[|]|[a\rb]|[a\nb]|-".split(
    "|",
  ),
  ..."P.S.|p. s. so|P.P.S|p.\u00a0p. s|P.S|Part 1|PART 2|Part ٣|Section 1|section\n2".split("|"),
  ...'{|}|"|""|{"a": 1}|null|NaN|-Infinity|[1, 2]|"a"|```json\n|```|1e5|01|"\t"|"\u2028"'.split(
    "|",
  ),
  ..."<<|>>|<<a>>|<< >>|<<<a>>|My answer is yes.|My answer is no|My answer is maybe.".split("|"),
  ..."ſ|İ|ı|ß|Σ|σς|K|ǅ|é|e\u0301|The end.|the END.|THE END.\"|Ask me|ask Me |.|!|?|'|,|，|：".split(
    "|",
  ),
  ..."lower|UPPER|a e e E|#|x".split("|"),
];

const relations = ["less than", "at least"];

/** @type {Record<string, (pick: Pick) => object>} */
const ARGUMENTS = {
  "keywords:existence": (pick) => ({ keywords: [pick(WORDS), pick(WORDS)] }),
  "keywords:forbidden_words": (pick) => ({ forbidden_words: [pick(WORDS)] }),
  "keywords:frequency": (pick) => ({
    ...{ keyword: pick(WORDS), frequency: pick([1, 2, 3]), relation: pick(relations) },
  }),
  "keywords:letter_frequency": (pick) => ({
    ...{
      letter: pick(["e", "s", "K", "i"]),
      let_frequency: pick([1, 2, 4]),
      let_relation: pick(relations),
    },
  }),
  "length_constraints:number_words": (pick) => ({
    num_words: pick([2, 5, 8]),
    relation: pick(relations),
  }),
  "length_constraints:number_paragraphs": (pick) => ({ num_paragraphs: pick([1, 2, 3]) }),
  "length_constraints:nth_paragraph_first_word": (pick) => {
    const total = pick([1, 2, 3]);
    const nth = pick([1, 2, 3].slice(0, total));
    return { num_paragraphs: total, nth_paragraph: nth, first_word: pick(["fox", "Owl", "a"]) };
  },
  "detectable_content:number_placeholders": (pick) => ({ num_placeholders: pick([1, 2]) }),
  "detectable_content:postscript": (pick) => ({
    postscript_marker: pick(["P.S.", "P.P.S", "Note"]),
  }),
  "detectable_format:number_bullet_lists": (pick) => ({ num_bullets: pick([1, 2, 3]) }),
  "detectable_format:constrained_response": () => ({}),
  "detectable_format:number_highlighted_sections": (pick) => ({ num_highlights: pick([1, 2, 3]) }),
  "detectable_format:multiple_sections": (pick) => ({
    ...{ section_spliter: pick(["Part", "PART", "Section"]), num_sections: pick([1, 2]) },
  }),
  "detectable_format:json_format": () => ({}),
  "detectable_format:title": () => ({}),
  "combination:two_responses": () => ({}),
  "combination:repeat_prompt": (pick) => ({ prompt_to_repeat: pick(["Ask me", "fox", " İ "]) }),
  "startend:end_checker": (pick) => ({ end_phrase: pick(["The end.", "owl", "!", "Σ"]) }),
  "startend:quotation": () => ({}),
  "punctuation:no_comma": () => ({}),
};
const WORDS = ["fox", "Owl", "öwl", "straße", "k", "the", "night", "i", "s", "é", "12", "f.x"];
/** Answers of few kinds of pieces meet their instruction more often. */
const NEAR = {
  "detectable_format:json_format": /[{}"[\]\d`aI\s]|null/,
  "startend:quotation": /["\s]|fox/,
  "combination:two_responses": /\*|fox|\s/,
};

/** @typedef {<T>(list: readonly T[]) => T} Pick */

const [count = "2000", seed = "1"] = process.argv.slice(2);
const random = createRandom(Number(seed));
/** @type {Pick} */
const pick = (list) => /** @type {any} */ (list[random.nextInt(list.length)]);
const shapes = { ifeval: shapeNamed("ifeval-like"), gsm8k: shapeNamed("gsm8k") };

/** @param {readonly string[]} pieces */
const textOf = (pieces) =>
  Array.from({ length: pick([1, 2, 3, 5, 8, 12]) }, () => pick(pieces)).join("");

/** @param {number} key */
function instructions(key) {
  const names = Array.from({ length: pick([1, 1, 1, 2, 3]) }, () => pick(Object.keys(ARGUMENTS)));
  const near = /** @type {Record<string, RegExp>} */ (NEAR)[names[0] ?? ""];
  const answer = textOf(near ? PIECES.filter((piece) => near.test(piece)) : PIECES);
  const kwargs = names.map((name) => ARGUMENTS[name]?.(pick) ?? {});
  const doc = { key, prompt: "p", instruction_id_list: names, kwargs };
  return { doc, answer, figures: shapes.ifeval?.item(doc).check?.(answer) };
}

const SUMS = [
  ..."#### |####|### |12|1,2|-12|$12|12.|12.0|.|,|$|-|1|2|a | |\n|x 12 y|٣|\u00a0|\x85|Σ".split(
    "|",
  ),
];

function sums() {
  const target = pick(["12", "1,2", "-12", "$12", "12.", "3"]);
  const doc = { question: "How many?", answer: `so\n#### ${target}` };
  const answer = textOf(SUMS);
  return { doc, answer, figures: shapes.gsm8k?.item(doc).check?.(answer) };
}

for (let key = 0; key < Number(count); key++) {
  process.stdout.write(`${JSON.stringify(key % 8 === 0 ? sums() : instructions(key))}\n`);
}
