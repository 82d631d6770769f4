import { isDeepStrictEqual } from "node:util";
import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig, PresetSizes } from "./config.js";
import { ropeProblems } from "./rope.js";
import { createHfReader } from "./hf-reader.js";
import {
  ARCHITECTURES,
  familyOf,
  findFamily,
  FAMILIES,
  type Architecture,
} from "./families/index.js";

/** A validated configuration of a family; what the sizes do not name is as the family's file says. */
export function presetConfig(architecture: Architecture, sizes: PresetSizes): ModelConfig {
  const config = validateModelConfig({
    numKvHeads: sizes.numHeads,
    headSize: sizes.hiddenSize / sizes.numHeads,
    ropeTheta: 10_000,
    normEps: 1e-5,
    ...FAMILIES[architecture].preset(sizes),
    ...sizes,
    architecture,
  });
  refuse([...unsaidProblems(config), ...positionProblems(architecture, sizes)]);
  return config;
}

/** A base of rotary angles for a model that has none would be kept nowhere. */
function positionProblems(architecture: Architecture, { ropeTheta }: PresetSizes): string[] {
  if (ropeTheta === undefined || FAMILIES[architecture].block.rotary) return [];
  return [`${architecture} learns its positions and has no ropeTheta, got ${ropeTheta}`];
}

const COUNTS = [
  "vocabSize",
  "hiddenSize",
  "numLayers",
  "numHeads",
  "numKvHeads",
  "headSize",
  "intermediateSize",
  "maxPositions",
] as const;

/** The frozen config itself; throws `invalid_argument` that lists every problem. */
export function validateModelConfig(config: ModelConfig): ModelConfig {
  const problems = [
    ...countProblems(config),
    ...(findFamily(config)?.problems(config) ?? []),
    ...valueProblems(config),
  ];
  refuse(problems);
  return Object.freeze({ ...config });
}

function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return;
  throw new StagecraftError("invalid_argument", `model config: ${problems.join("; ")}`, {
    details: { problems },
  });
}

/** Far above any model there is, and low enough that a description costs nothing before its weights. */
const MOST: Readonly<Record<(typeof COUNTS)[number], number>> = {
  vocabSize: 2 ** 24,
  hiddenSize: 2 ** 20,
  headSize: 2 ** 16,
  numLayers: 4096,
  numHeads: 2 ** 16,
  numKvHeads: 2 ** 16,
  intermediateSize: 2 ** 22,
  maxPositions: 2 ** 28,
};

function countProblems(config: ModelConfig): string[] {
  const shared = `hiddenSize ${config.hiddenSize} in ${config.numHeads} heads`;
  const isCount = (field: (typeof COUNTS)[number]) =>
    Number.isInteger(config[field]) && config[field] >= 1 && config[field] <= MOST[field];
  return COUNTS.filter((field) => !isCount(field)).map(
    (field) =>
      `${field} must be an integer from 1 to ${MOST[field]}, got ${config[field]}` +
      (field === "headSize" ? ` (${shared})` : ""),
  );
}

function valueProblems(config: ModelConfig): string[] {
  const { architecture, numHeads, numKvHeads, normEps, ropeTheta } = config;
  const problems: string[] = [];
  if (!findFamily(config)) {
    problems.push(`architecture must be ${ARCHITECTURES.join(" or ")}, got ${architecture}`);
  }
  if (numHeads % numKvHeads !== 0) {
    problems.push(`numKvHeads ${numKvHeads} must divide numHeads ${numHeads}`);
  }
  if (!(normEps > 0)) problems.push(`normEps must be > 0, got ${normEps}`);
  if (!(ropeTheta > 0)) problems.push(`ropeTheta must be > 0, got ${ropeTheta}`);
  return [...problems, ...optionProblems(config)];
}

/** What the family's config.json has no field for, and would lose when the model is saved. */
function unsaidProblems(config: ModelConfig): string[] {
  const { toHf, fromHf } = familyOf(config);
  const { tieEmbeddings, bias } = config;
  const hf = { ...toHf(config), tie_word_embeddings: tieEmbeddings, stagecraft: { bias } };
  const said = fromHf(createHfReader(hf, "config.json")) as Readonly<Record<string, unknown>>;
  return Object.entries(config)
    .filter(([field]) => field !== "architecture" && field !== "vocabSize")
    .filter(([field, value]) => value !== undefined && !isSame(value, said[field]))
    .map(
      ([field, value]) => `${config.architecture} cannot have ${field} ${JSON.stringify(value)}`,
    );
}

/** But for rounding: files have 1/scale² in place of a scale. */
function isSame(value: unknown, said: unknown): boolean {
  if (typeof value !== "number" || typeof said !== "number") return isDeepStrictEqual(value, said);
  return Math.abs(value - said) <= 1e-9 * Math.abs(value);
}

const FACTORS = [
  ...["localRopeTheta", "attentionScale", "attentionSoftcap", "logitSoftcap"],
  ...["embeddingScale", "residualScale", "logitDivisor"],
] as const;

function optionProblems(config: ModelConfig): string[] {
  const { rotaryFraction = 1, ropeScaling, slidingWindow = 1, headSize, numLayers } = config;
  const fields = config as unknown as Readonly<Record<string, unknown>>;
  const isFactor = (value: unknown) =>
    value === undefined || (typeof value === "number" && value > 0 && value < Infinity);
  const problems = FACTORS.filter((field) => !isFactor(fields[field])).map(
    (field) => `${field} must be a number above 0, got ${String(fields[field])}`,
  );
  if (!(rotaryFraction > 0 && rotaryFraction <= 1)) {
    problems.push(`rotaryFraction must be above 0 and at most 1, got ${rotaryFraction}`);
  }
  if (!Number.isInteger(slidingWindow) || slidingWindow < 1) {
    problems.push(`slidingWindow must be a whole number of at least 1, got ${slidingWindow}`);
  }
  for (const field of ["ropeLayers", "windowLayers"] as const) {
    const length = config[field]?.length ?? numLayers;
    if (length !== numLayers)
      problems.push(`${field} has ${length} entries for ${numLayers} layers`);
  }
  if (config.logitDivisor !== undefined && config.logitSoftcap !== undefined) {
    problems.push(
      "logits are either divided or capped: logitDivisor and logitSoftcap are both set",
    );
  }
  const pairs = Math.floor(Math.floor(headSize * rotaryFraction) / 2);
  return ropeScaling ? [...problems, ...ropeProblems(ropeScaling, pairs)] : problems;
}
