import { RecordProblem, stringField, stringList, type Fields } from "@stagecraft/data";
import { foldedIs, isPythonJson, PYTHON_WORDS, pythonPattern, strip } from "./python-text.js";

/**
 * The instructions of IFEval [Zhou et al. 2023] that a program can check exactly, by name: given the
 * instruction's arguments, whether an answer follows it. Those that need a guess at the language or at
 * where sentences end are not among them.
 */
export const INSTRUCTIONS: Readonly<Record<string, (args: Fields) => (answer: string) => boolean>> =
  {
    "keywords:existence"(args) {
      const found = stringList(args["keywords"], "keywords").map((word) => anyCase(word));
      return (answer) => found.every((each) => each(answer) > 0);
    },
    "keywords:forbidden_words"(args) {
      const words = stringList(args["forbidden_words"], "forbidden_words");
      const found = words.map((word) => anyCase(`\\b${word}\\b`));
      return (answer) => !found.some((each) => each(answer) > 0);
    },
    "keywords:frequency"(args) {
      const found = anyCase(strip(stringField(args, "keyword")));
      const fits = relation(args, "relation", "frequency");
      return (answer) => fits(found(answer));
    },
    "keywords:letter_frequency"(args) {
      const letter = stringField(args, "letter").toLowerCase();
      const fits = relation(args, "let_relation", "let_frequency");
      return (answer) => fits([...answer.toLowerCase()].filter((each) => each === letter).length);
    },
    "length_constraints:number_words"(args) {
      const fits = relation(args, "relation", "num_words");
      return (answer) => fits(matches(answer, PYTHON_WORDS).length);
    },
    "length_constraints:number_paragraphs"(args) {
      const wanted = count(args, "num_paragraphs");
      return (answer) => numParagraphs(answer.split(DIVIDER)) === wanted;
    },
    "length_constraints:nth_paragraph_first_word"(args) {
      const [total, nth] = [count(args, "num_paragraphs"), count(args, "nth_paragraph")];
      const wanted = stringField(args, "first_word").toLowerCase();
      return (answer) => {
        const paragraphs = answer.split("\n\n");
        const numFilled = paragraphs.filter((each) => strip(each) !== "").length;
        if (numFilled !== total || nth > numFilled) return false;
        return firstWord(paragraphs[nth - 1]!) === wanted;
      };
    },
    "detectable_content:number_placeholders"(args) {
      const least = count(args, "num_placeholders");
      return (answer) => matches(answer, /\[[^\n]*?\]/g).length >= least;
    },
    "detectable_content:postscript"(args) {
      const marker = strip(stringField(args, "postscript_marker"));
      const known: Record<string, string> = {
        "P.P.S": "p\\.\\s?p\\.\\s?s",
        "P.S.": "p\\.\\s?s\\.",
      };
      const found = pythonPattern(known[marker] ?? marker.toLowerCase());
      return (answer) => found.test(answer.toLowerCase());
    },
    "detectable_format:number_bullet_lists"(args) {
      const wanted = count(args, "num_bullets");
      const stars = pythonPattern("(?<=^|\\n)\\s*\\*[^*].*", "g");
      const lines = pythonPattern("(?<=^|\\n)\\s*-.*", "g");
      return (answer) => matches(answer, stars).length + matches(answer, lines).length === wanted;
    },
    "detectable_format:constrained_response": () => (answer) =>
      ["yes", "no", "maybe"].some((word) => answer.includes(`My answer is ${word}.`)),
    "detectable_format:number_highlighted_sections"(args) {
      const least = count(args, "num_highlights");
      return (answer) => numHighlights(answer) >= least;
    },
    "detectable_format:multiple_sections"(args) {
      const name = strip(stringField(args, "section_spliter"));
      const least = count(args, "num_sections");
      const head = pythonPattern(`\\s?${name}\\s?\\d+\\s?`, "g");
      return (answer) => matches(answer, head).length >= least;
    },
    "detectable_format:json_format": () => isJson,
    "detectable_format:title": () => (answer) =>
      matches(answer, /<<[^\n]+>>/g).some((title) => strip(title.replace(/^<+|>+$/g, "")) !== ""),
    "combination:two_responses": () => (answer) => {
      const parts = answer.split("******").map(strip);
      const filled = parts.filter((part) => part !== "");
      const inner = parts.slice(1, -1);
      return !inner.includes("") && filled.length === 2 && filled[0] !== filled[1];
    },
    "combination:repeat_prompt"(args) {
      const start = strip(stringField(args, "prompt_to_repeat")).toLowerCase();
      return (answer) => strip(answer).toLowerCase().startsWith(start);
    },
    "startend:end_checker"(args) {
      const end = strip(stringField(args, "end_phrase")).toLowerCase();
      return (answer) =>
        strip(answer)
          .replace(/^"+|"+$/g, "")
          .toLowerCase()
          .endsWith(end);
    },
    "startend:quotation": () => (answer) => /^"[^]*"$/.test(strip(answer)),
    "punctuation:no_comma": () => (answer) => !answer.includes(","),
  };

const DIVIDER = pythonPattern("\\s?\\*\\*\\*\\s?");
const SPACES = pythonPattern("\\s+");

const matches = (text: string, each: RegExp): string[] => text.match(each) ?? [];

/** How often a pattern stands in a text, in capitals or not. */
function anyCase(source: string): (text: string) => number {
  const each = pythonPattern(foldedIs(source), "gi");
  return (text) => matches(foldedIs(text), each).length;
}

function count(args: Fields, name: string): number {
  const value = args[name];
  if (Number.isInteger(value) && (value as number) > 0) return value as number;
  throw new RecordProblem(`"${name}" must be a whole number above 0`);
}

function relation(args: Fields, name: string, limit: string): (found: number) => boolean {
  const wanted = count(args, limit);
  const word = stringField(args, name);
  if (word === "less than") return (found) => found < wanted;
  if (word === "at least") return (found) => found >= wanted;
  throw new RecordProblem(`"${name}" must be "less than" or "at least"`);
}

/** Of parts between dividers: empty ones may stand at the ends only. */
function numParagraphs(parts: readonly string[]): number | undefined {
  if (parts.slice(1, -1).some((part) => strip(part) === "")) return undefined;
  return parts.filter((part) => strip(part) !== "").length;
}

function firstWord(paragraph: string): string {
  const [word = ""] = strip(paragraph).split(SPACES);
  const bare = word.replace(/^'+/, "").replace(/^"+/, "");
  return /^[^.,?!'"]*/.exec(bare)![0].toLowerCase();
}

function numHighlights(answer: string): number {
  const single = matches(answer, /\*[^\n*]*\*/g).map((text) => text.replace(/^\*+|\*+$/g, ""));
  const double = matches(answer, /\*\*[^\n*]*\*\*/g).map((text) => text.slice(2, -2));
  return [...single, ...double].filter((text) => strip(text) !== "").length;
}

function isJson(answer: string): boolean {
  const bare = strip(answer)
    .replace(/^```(json|Json|JSON)/, "")
    .replace(/^```/, "")
    .replace(/```$/, "");
  return isPythonJson(strip(bare));
}
