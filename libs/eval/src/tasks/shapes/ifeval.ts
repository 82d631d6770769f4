import {
  has,
  objectOf,
  RecordProblem,
  stringField,
  stringList,
  type Fields,
} from "@stagecraft/data";
import { INSTRUCTIONS } from "./instructions.js";
import { strip } from "./python-text.js";
import type { Figures, TaskShape } from "./shape.js";

/**
 * Prompts with instructions that a program checks, as IFEval [Zhou et al. 2023]. `prompt_…` counts
 * answers that follow all of theirs, `instruction_…` single instructions; loose forgives a first or last
 * line and asterisks. Instructions that are not checked here count nowhere, and neither does a prompt
 * that has one in `prompt_…`; `unchecked` is their share.
 */
export const ifevalShape: TaskShape = {
  name: "ifeval-like",
  questionSplits: ["test", "train"],
  exampleSplits: [],
  numShots: 0,
  examples: "drawn",
  stop: [],
  maxNewTokens: 1280,
  matches: (fields) => has(fields, "instruction_id_list"),
  item(fields) {
    const names = stringList(fields["instruction_id_list"], "instruction_id_list");
    const args = fields["kwargs"];
    if (!Array.isArray(args) || args.length !== names.length || names.length === 0) {
      throw new RecordProblem(`"kwargs" must have one object for each of "instruction_id_list"`);
    }
    const checks = names.map((name, i) => checkOf(name, objectOf(args[i], `kwargs[${i}]`)));
    const question = stringField(fields, "prompt");
    return { question, target: "", check: (answer) => figuresOf(checks, answer) };
  },
};

type Check = ((answer: string) => boolean) | undefined;

/** Undefined for an instruction that is not checked here. */
function checkOf(name: string, args: Fields): Check {
  if (!Object.hasOwn(INSTRUCTIONS, name)) return undefined;
  const follows = INSTRUCTIONS[name]!(args);
  return (answer) => strip(answer) !== "" && follows(answer);
}

function figuresOf(checks: readonly Check[], answer: string): Figures {
  const known = checks.filter((check) => check !== undefined);
  const strict = known.map((check) => check(answer));
  const variants = looser(answer);
  const loose = known.map((check) => variants.some(check));
  const all = (each: readonly boolean[]) =>
    known.length < checks.length ? [] : [each.every(Boolean) ? 1 : 0];
  return {
    prompt_strict: all(strict),
    instruction_strict: strict.map(Number),
    prompt_loose: all(loose),
    instruction_loose: loose.map(Number),
    unchecked: checks.map((check) => (check === undefined ? 1 : 0)),
  };
}

/** The answer, and without its first or last line, each with and without asterisks. */
function looser(answer: string): string[] {
  const lines = answer.split("\n");
  const parts = [lines.slice(1), lines.slice(0, -1), lines.slice(1, -1)];
  const texts = [answer, ...parts.map((part) => strip(part.join("\n")))];
  return [...texts, ...texts.map((text) => text.replaceAll("*", ""))];
}
