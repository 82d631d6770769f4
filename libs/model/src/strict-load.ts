import { StagecraftError } from "@stagecraft/core";
import type { TensorMap } from "@stagecraft/checkpoint";
import { describeConfig, type ModelConfig } from "./config.js";
import { familyOf } from "./families/index.js";
import type { ParameterSpec } from "./parameters.js";

/**
 * Throws `failed_precondition` unless the tensors are exactly the parameters: every missing,
 * unexpected, misshapen and mistyped one is named, with a guess at the cause.
 */
export function checkTensors(
  config: ModelConfig,
  specs: readonly ParameterSpec[],
  tensors: TensorMap,
): void {
  const known = new Set(specs.map(({ name }) => name));
  const missing = specs.map(({ name }) => name).filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !known.has(name));
  const misfits = specs.flatMap((spec) => misfitOf(spec, tensors));
  if (missing.length + unexpected.length + misfits.length === 0) return;
  const problems = [
    ...(missing.length ? [`${missing.length} missing: ${some(missing)}`] : []),
    ...(unexpected.length ? [`${unexpected.length} unexpected: ${some(unexpected)}`] : []),
    ...(misfits.length ? [some(misfits)] : []),
  ];
  const guess = guessCause(config, { missing, specs, tensors });
  throw new StagecraftError(
    "failed_precondition",
    `the weights do not fit the model (${describeConfig(config)}): ${problems.join("; ")}${guess}`,
    { details: { missing, unexpected, misfits } },
  );
}

function misfitOf({ name, shape }: ParameterSpec, tensors: TensorMap): string[] {
  const entry = tensors.get(name);
  if (!entry) return [];
  const [expected, found] = [shape.join(", "), entry.shape.join(", ")];
  if (found !== expected) return [`${name} is [${found}], the model needs [${expected}]`];
  if (!(entry.data instanceof Float32Array)) return [`${name} is ${entry.dtype}, not floating`];
  return [];
}

function guessCause(
  config: ModelConfig,
  found: { missing: string[]; specs: readonly ParameterSpec[]; tensors: TensorMap },
): string {
  const { missing, specs, tensors } = found;
  if (missing.length === specs.length) return " (a checkpoint of another architecture)";
  const rows = tensors.get(familyOf(config).names.embedding)?.shape[0];
  if (rows === undefined || rows === config.vocabSize) return "";
  return ` (a vocabulary of ${rows} tokens: weights of another model or tokenizer)`;
}

const MAX_NAMED = 6;

function some(items: readonly string[]): string {
  const rest = items.length - MAX_NAMED;
  return items.slice(0, MAX_NAMED).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
