import type { z } from "zod";
import { ENGINES } from "./engines.js";
import { choice, text, whole } from "./fields.js";

/** Settings of everything that computes with tensors. */
export const engineFields = {
  engine: choice(ENGINES, "auto").describe("Tensor engine; auto takes the fastest that works here"),
  plugin: text("").describe(
    "A PJRT plugin's file for the engine xla, empty = the one that pip installed",
  ),
  matmulPrecision: choice(["auto", "f32", "bf16"], "auto").describe(
    "How engine xla rounds the factors of matrix products, whose sums are f32; auto = as the process was " +
      "started, which is f32 unless told otherwise",
  ),
  attention: choice(["auto", "plain", "cudnn"], "auto").describe(
    "Who computes causal attention on engine xla; cudnn takes CUDA and bf16, and leaves to plain what it " +
      "cannot do; auto = as the process was started, which is plain unless told otherwise",
  ),
  threads: whole({ max: 1024, default: 0 }).describe(
    "Threads of the engine, 0 = all cores; 1 for bit-exact repetition",
  ),
};

/** Parsed `engineFields`; what is left out has its default. */
export type EngineSettings = Partial<z.infer<z.ZodObject<typeof engineFields>>>;

/** What of a configuration says how tensors are computed. */
export function engineSettings(config: EngineSettings): EngineSettings {
  const { engine, plugin, matmulPrecision, attention, threads } = config;
  const all = { engine, plugin, matmulPrecision, attention, threads };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** What `initEngine` of the tensors' library needs of the settings. */
export function engineOptions(settings: EngineSettings): {
  engine: (typeof ENGINES)[number];
  numThreads?: number;
  plugin?: string;
  matmulPrecision?: "f32" | "bf16";
  attention?: "plain" | "cudnn";
} {
  const { engine = "auto", plugin = "", threads = 0 } = settings;
  const { matmulPrecision = "auto", attention = "auto" } = settings;
  return {
    engine,
    ...(threads > 0 && { numThreads: threads }),
    ...(plugin !== "" && { plugin }),
    ...(matmulPrecision !== "auto" && { matmulPrecision }),
    ...(attention !== "auto" && { attention }),
  };
}
