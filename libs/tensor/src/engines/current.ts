import { StagecraftError } from "@stagecraft/core";
import type { Engine, EngineInfo } from "./engine.js";
import { createReferenceEngine } from "./reference/engine.js";

let started: Engine | undefined;

/** What tensors compute with before initEngine: the definitions, on TFJS's own choice of a backend. */
let fallback: Engine | undefined;

export function currentEngine(): Engine {
  return started ?? (fallback ??= createReferenceEngine());
}

/** Called once by initEngine. */
export function useEngine(engine: Engine): void {
  started = engine;
}

/** The running engine's facts; throws `failed_precondition` before initEngine. */
export function engineInfo(): EngineInfo {
  if (started !== undefined) return started.info;
  throw new StagecraftError("failed_precondition", "no engine yet: await initEngine() first");
}
