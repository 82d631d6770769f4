import { StagecraftError } from "@stagecraft/core";
import type { ModelConfig, PresetSizes } from "./config.js";
import { ropeProblems } from "./rope.js";
import { ARCHITECTURES, findFamily, FAMILIES, type Architecture } from "./families/index.js";

/** A validated configuration of a family; what the sizes do not name is as the family's file says. */
export function presetConfig(architecture: Architecture, sizes: PresetSizes): ModelConfig {
  return validateModelConfig({
    numKvHeads: sizes.numHeads,
    headSize: sizes.hiddenSize / sizes.numHeads,
    ropeTheta: 10_000,
    normEps: 1e-5,
    ...FAMILIES[architecture].preset(sizes),
    ...sizes,
    architecture,
  });
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
  if (problems.length === 0) return Object.freeze({ ...config });
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
