import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** evaluation.json, as far as it is shown: how models did on the same prompts. */
export interface EvaluationFile {
  readonly models: readonly {
    readonly model: string;
    readonly exact: { byKind: Record<string, MatchShare>; overall: MatchShare };
    readonly scores: Record<string, { overall: number; byKind: Record<string, number> }>;
    readonly bestOf?: { readonly n: number; readonly klBound: number };
  }[];
  readonly winRates: readonly {
    model: string;
    against: string;
    scorer: string;
    winRate: WinRateShare;
  }[];
}

interface MatchShare {
  readonly count?: number;
  readonly rate?: number;
}

/** How often one model beat another. */
export interface WinRateShare {
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  readonly rate: number;
  readonly interval: readonly [low: number, high: number];
}

/** A line of answers.jsonl: of an evaluation with its judgement, of `collect` without. */
export interface AnswerLine {
  readonly model?: string;
  readonly id: string;
  readonly kind?: string;
  readonly prompt: string;
  readonly answer: string;
  readonly exact?: boolean;
  readonly scores?: Readonly<Record<string, number>>;
}

/** What a run's evaluation found; undefined where the run is none or its file is damaged. */
export async function readEvaluation(dir: string): Promise<EvaluationFile | undefined> {
  const value = parse(await textOf(join(dir, "evaluation.json")));
  return isObject(value) && Array.isArray(value["models"]) ? (value as never) : undefined;
}

/** The judged answers of an evaluation; damaged lines are left out. */
export async function readAnswers(dir: string): Promise<AnswerLine[]> {
  const lines = (await textOf(join(dir, "answers.jsonl"))).split("\n");
  return lines.flatMap((line) => answerOf(line) ?? []);
}

function answerOf(text: string): AnswerLine | undefined {
  const line = parse(text);
  if (!isObject(line)) return undefined;
  const prompt = line["prompt"] ?? line["request"]; // as earlier versions called it
  const isAnswer = typeof prompt === "string" && typeof line["answer"] === "string";
  return isAnswer ? ({ ...line, prompt } as never) : undefined;
}

/** The reward model's report; undefined where the run made none. */
export async function readRewardReport(
  dir: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const value = parse(await textOf(join(dir, "reward-report.json")));
  return isObject(value) ? value : undefined;
}

/** What stands in these files and cannot be read, a sentence each. */
export async function evaluationProblems(dir: string): Promise<string[]> {
  const damaged = async (name: string) => {
    const text = await textOf(join(dir, name));
    return text !== "" && !isObject(parse(text)) ? [`${name} cannot be read: it is left out`] : [];
  };
  const numAnswers = (await readEvaluation(dir))
    ? await countDamaged(join(dir, "answers.jsonl"))
    : 0;
  return [
    ...(await damaged("evaluation.json")),
    ...(await damaged("reward-report.json")),
    ...(numAnswers > 0 ? [`answers.jsonl: ${numAnswers} lines cannot be read`] : []),
  ];
}

async function countDamaged(file: string): Promise<number> {
  const lines = (await textOf(file)).split("\n").filter((line) => line !== "");
  return lines.filter((line) => answerOf(line) === undefined).length;
}

async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
