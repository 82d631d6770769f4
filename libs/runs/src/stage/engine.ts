import { initEngine, type EngineInfo } from "@stagecraft/tensor";
import type { StageReporter } from "./reporter.js";
import type { CommonConfig } from "./fields.js";

/** Starts the engine that the configuration asks for, or takes the one that runs already. */
export async function startEngine(
  config: Pick<CommonConfig, "engine" | "plugin" | "threads">,
  reporter: StageReporter,
): Promise<EngineInfo> {
  const info = await initEngine({
    engine: config.engine,
    ...(config.plugin !== "" && { plugin: config.plugin }),
    ...(config.threads > 0 ? { numThreads: config.threads } : {}),
  });
  if (info.notice) reporter.info(info.notice);
  return info;
}

/** For run.json. */
export function engineVersions(info: EngineInfo): Record<string, string> {
  return { engine: `${info.name} (${info.numThreads} threads, simd ${info.simd})` };
}
