import type { JsonObject } from "@stagecraft/core";

export interface StageProgress {
  stage: string;
  done: number;
  /** 0 while nobody knows it, as in streamed text. */
  total: number;
  unit: "steps" | "answers" | "prompts" | "tokens" | "characters";
  tokensPerSecond?: number;
  /** One short phrase for the progress bar, such as `loss 1.93`. */
  note?: string;
}

/** Where a stage tells what it does; the CLI draws bars, the trainer service publishes events. */
export interface StageReporter {
  progress(progress: StageProgress): void;
  metrics(record: JsonObject): void;
  info(message: string): void;
  warn(message: string): void;
}

/** Says nothing; overrides may listen to some of it. */
export function silentReporter(overrides: Partial<StageReporter> = {}): StageReporter {
  const nothing = () => undefined;
  return { progress: nothing, metrics: nothing, info: nothing, warn: nothing, ...overrides };
}
