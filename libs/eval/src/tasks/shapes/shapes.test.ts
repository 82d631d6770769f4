import { describe, expect, it } from "vitest";
import { shapeNamed, shapeOf } from "./table.js";
import type { Figures } from "./shape.js";

const item = (name: string, fields: object) => shapeNamed(name)!.item({ ...fields });
const HELLASWAG = {
  activity_label: "Rowing",
  ctx_a: "A man rows.",
  ctx_b: "he IS tired",
  endings: ["and [substeps] rests.", "It ends [title] He swims.", "no  end", "x"],
  label: "1",
};
const ARC = {
  question: "What is hot?",
  choices: { text: ["Ice", "Fire"], label: ["A", "B"] },
  answerKey: "B",
};
const MMLU = {
  question: " 1+1? ",
  subject: "abstract_algebra",
  choices: ["1", "2", "3", "4"],
  answer: 1,
};
const GSM8K = { question: "How many?", answer: "3 + 4 = 7\n#### 1,007" };

describe("items of benchmarks, as lm-eval asks them", () => {
  it("hellaswag: activity and context without artifacts, endings as they follow", () => {
    expect(item("hellaswag", HELLASWAG)).toEqual({
      question: "Rowing: A man rows. He is tired",
      choices: ["and rests.", "It ends. He swims.", "no end", "x"],
      target: "It ends. He swims.",
      gold: 1,
    });
  });

  it("arc: the answer by its label", () => {
    expect(item("arc", ARC)).toMatchObject({
      question: "Question: What is hot?\nAnswer:",
      ...{ choices: ["Ice", "Fire"], gold: 1 },
    });
  });

  it("mmlu: letters, and the subject in words", () => {
    expect(item("mmlu", MMLU)).toMatchObject({
      question: "1+1?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:",
      description:
        "The following are multiple choice questions (with answers) about abstract algebra.\n\n",
      ...{ choices: ["A", "B", "C", "D"], target: "B", group: "abstract_algebra" },
    });
  });

  for (const [answer, strict, flexible] of [
    ["So #### 1007", 1, 1],
    ["#### $1,007.", 0, 1],
    ["#### 1,007. Then 5", 1, 0],
    ["it is 1007", 0, 1],
    ["nothing", 0, 0],
  ] as const) {
    it(`gsm8k: "${answer}" counts ${strict} strictly, ${flexible} by its last number`, () => {
      expect(item("gsm8k", GSM8K).check!(answer)).toEqual({
        exact_match_strict: [strict],
        exact_match_flexible: [flexible],
      });
    });
  }

  it("are known by their fields", () => {
    const names = [HELLASWAG, ARC, MMLU, GSM8K].map((fields) => shapeOf(fields)!.name);
    expect(names).toEqual(["hellaswag", "arc", "mmlu", "gsm8k"]);
    expect(shapeOf({ question: "a", choices: ["b", "c"], answer: 1 })!.name).toBe("choose");
    expect(shapeOf({ instruction_id_list: [] })!.name).toBe("ifeval-like");
    expect(shapeOf({ text: "a" })).toBeUndefined();
  });

  for (const [name, fields, message] of [
    ["hellaswag", { ...HELLASWAG, label: "" }, '"label" must say which of the 4 answers'],
    ["arc", { ...ARC, answerKey: "E" }, '"answerKey" is none of the labels'],
    ["mmlu", { ...MMLU, answer: 4 }, "from 0 to 3, not 4"],
    ["choose", { question: "a", choices: ["b"], answer: 0 }, "two answers or more"],
  ] as const) {
    it(`${name}: refuses ${message}`, () => {
      expect(() => item(name, fields)).toThrow(message);
    });
  }
});

describe("instructions that a program checks", () => {
  const follow = (name: string, args: object, answer: string): Figures =>
    item("ifeval-like", { prompt: "p", instruction_id_list: [name], kwargs: [args] }).check!(
      answer,
    );

  const CASES: [string, object, string, string][] = [
    ["keywords:existence", { keywords: ["fox"] }, "A FOX.", "an owl"],
    ["keywords:forbidden_words", { forbidden_words: ["fox"] }, "foxes, éfox", "the Fox"],
    ["keywords:frequency", { keyword: "a", frequency: 2, relation: "less than" }, "a", "a a"],
    [
      "keywords:letter_frequency",
      { letter: "E", let_frequency: 2, let_relation: "at least" },
      "eE",
      "e",
    ],
    ["length_constraints:number_words", { num_words: 2, relation: "at least" }, "über uns", "über"],
    [
      "length_constraints:number_paragraphs",
      { num_paragraphs: 2 },
      "a\n***\nb",
      "a\n***\n\n***\nb",
    ],
    [
      "length_constraints:nth_paragraph_first_word",
      { num_paragraphs: 2, nth_paragraph: 2, first_word: "Owl" },
      'a\n\n"owl, b',
      "owl\n\na",
    ],
    ["detectable_content:number_placeholders", { num_placeholders: 2 }, "[a] [b]", "[a]"],
    ["detectable_content:postscript", { postscript_marker: "P.P.S" }, "x p. p. s: y", "p.s. y"],
    ["detectable_format:number_bullet_lists", { num_bullets: 2 }, "* a\n- b", "** a\n- b"],
    ["detectable_format:constrained_response", {}, "My answer is no.", "No."],
    ["detectable_format:number_highlighted_sections", { num_highlights: 1 }, "*a*", "* *"],
    [
      "detectable_format:multiple_sections",
      { section_spliter: "Part", num_sections: 2 },
      "Part 1 a Part 2",
      "Part 1",
    ],
    ["detectable_format:json_format", {}, "```json\n{}\n```", "{a}"],
    ["detectable_format:title", {}, "<<a>>", "<< >>"],
    ["combination:two_responses", {}, "a******b", "a******a"],
    ["combination:repeat_prompt", { prompt_to_repeat: "Ask" }, " ask b", "b ask"],
    ["startend:end_checker", { end_phrase: "The end." }, 'x "the END."', "The end. x"],
    ["startend:quotation", {}, '"a"', '"'],
    ["punctuation:no_comma", {}, "a", "a, b"],
  ];
  for (const [name, args, good, bad] of CASES) {
    it(name, () => {
      expect(follow(name, args, good)["prompt_strict"]).toEqual([1]);
      expect(follow(name, args, bad)["prompt_strict"]).toEqual([0]);
    });
  }

  // Each of these was judged otherwise than by lm-eval, which is Python.
  const SEEN_BY_PYTHON: [string, string, object, string, 0 | 1][] = [
    [
      "digits of other scripts",
      "detectable_format:multiple_sections",
      { section_spliter: "Part", num_sections: 1 },
      "Part ٣",
      1,
    ],
    [
      "numbers that are none in JSON",
      "detectable_format:json_format",
      {},
      '[NaN, -Infinity, "NaN"]',
      1,
    ],
    ["words beside such numbers", "detectable_format:json_format", {}, "1NaN", 0],
    [
      "Turkish i",
      "keywords:frequency",
      { keyword: "i", frequency: 2, relation: "at least" },
      "İı",
      1,
    ],
    ["the long s", "keywords:existence", { keywords: ["is"] }, "ſ iſ", 1],
    [
      "accents of their own",
      "length_constraints:number_words",
      { num_words: 2, relation: "less than" },
      "e\u0301null",
      1,
    ],
    [
      "a full stop before a carriage return",
      "keywords:existence",
      { keywords: ["f.x"] },
      "f\rx",
      1,
    ],
    ["needless backslashes", "keywords:existence", { keywords: ["a\\-b", "c]"] }, "a-b c]", 1],
    [
      "separators that are white space",
      "length_constraints:nth_paragraph_first_word",
      { num_paragraphs: 1, nth_paragraph: 1, first_word: "a" },
      "a\x1cb",
      1,
    ],
  ];
  for (const [what, name, args, answer, expected] of SEEN_BY_PYTHON) {
    it(`sees ${what} as Python does`, () => {
      expect(follow(name, args, answer)["prompt_strict"]).toEqual([expected]);
    });
  }

  it("forgives a first line loosely, and an empty answer never", () => {
    const figures = follow("startend:quotation", {}, 'Sure:\n"a"');
    expect([figures["prompt_strict"], figures["prompt_loose"]]).toEqual([[0], [1]]);
    expect(follow("punctuation:no_comma", {}, " ")["prompt_loose"]).toEqual([0]);
  });

  it("counts what it does not check as unchecked, and neither as followed nor as not", () => {
    expect(follow("language:response_language", { language: "de" }, "ja")).toEqual({
      ...{ prompt_strict: [], prompt_loose: [], instruction_strict: [], instruction_loose: [] },
      unchecked: [1],
    });
  });

  it("refuses arguments that are missing", () => {
    expect(() => follow("length_constraints:number_words", { num_words: null }, "a")).toThrow(
      '"num_words" must be a whole number above 0',
    );
  });
});
