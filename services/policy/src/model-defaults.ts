import type { ParsedGenerationInput, ParsedSampling } from "@stagecraft/contracts";
import { generationDefaults } from "@stagecraft/model";
import type { Logger } from "@stagecraft/telemetry";
import type { PolicyModelFacts } from "./engine.js";

/** Sampling parameters of an input, what was left to the model filled in. */
export type FillDefaults = (
  input: Pick<ParsedGenerationInput, "sampling" | "modelDefaults">,
) => ParsedSampling;

/**
 * Reads the generation_config.json beside the tokenizer; what of it is not done here is logged. Throws
 * `invalid_argument` for values that cannot be.
 */
export function modelDefaults({ name, tokenizer }: PolicyModelFacts, logger: Logger): FillDefaults {
  const { sampling: own, unsupported } = generationDefaults(tokenizer.files(), name);
  if (unsupported.length > 0) {
    const problems = { model: name, unsupported };
    logger.warn(problems, "generation_config.json asks for what is not done here");
  }
  return ({ sampling, modelDefaults: fields }) => {
    const left = fields.flatMap((field) => (own[field] === undefined ? [] : [[field, own[field]]]));
    return { ...sampling, ...Object.fromEntries(left) };
  };
}
