import { StagecraftError } from "@stagecraft/core";

/** Whether a run's thread ended under it. */
export function isThreadEnd(thrown: unknown): boolean {
  return StagecraftError.from(thrown).details["thread"] !== undefined;
}

/**
 * What struck an attempt that says more about the machine than about the run: too little memory, or a
 * thread that ended. Undefined for every other failure.
 */
export function crashOf(thrown: unknown): "memory" | "thread" | undefined {
  const { details } = StagecraftError.from(thrown);
  if (details["thread"] === "out_of_memory" || details["resource"] === "memory") return "memory";
  return details["thread"] === undefined ? undefined : "thread";
}

/** Fields that decide how much memory a run takes, the usual culprits first. */
const SIZES = [
  ...["batchSize", "minibatchSize", "contextLength", "maxNewTokens", "promptsPerUpdate"],
  ...["samplesPerPrompt", "hiddenSize", "intermediateSize", "numLayers", "vocabSize", "ensemble"],
];

/** What to do about a run that takes too much memory. */
export function memoryAdvice(config: object): string {
  const own = Object.entries(config).filter(([name]) => SIZES.includes(name));
  own.sort(([a], [b]) => SIZES.indexOf(a) - SIZES.indexOf(b));
  const fields = own.slice(0, 4).map(([name, value]) => `${name} (${String(value)})`);
  const lower = fields.length === 0 ? "use a smaller model" : `lower ${fields.join(" or ")}`;
  return `${lower}, or give the trainer more memory`;
}
