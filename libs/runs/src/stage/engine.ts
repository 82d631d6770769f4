import { engineOptions, type EngineSettings } from "@stagecraft/fields";
import { initEngine, type EngineInfo } from "@stagecraft/tensor";
import type { StageReporter } from "./reporter.js";

/** Starts the engine that the configuration asks for, or takes the one that runs already. */
export async function startEngine(
  config: EngineSettings,
  reporter: StageReporter,
): Promise<EngineInfo> {
  const info = await initEngine(engineOptions(config));
  if (info.notice) reporter.info(info.notice);
  return info;
}

/** For run.json. */
export function engineVersions(info: EngineInfo): Record<string, string> {
  const { name, numThreads, simd, matmulPrecision, attention } = info;
  const facts = [
    `${numThreads} threads, simd ${simd}`,
    ...(matmulPrecision === "bf16" ? ["products of bf16"] : []),
    ...(attention === "cudnn" ? ["attention by cuDNN"] : []),
  ];
  return { engine: `${name} (${facts.join(", ")})` };
}
