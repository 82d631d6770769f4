import type { ConfigSchema } from "@stagecraft/config";
import type { StageReporter } from "@stagecraft/runs";
import type { Bar } from "./bars.js";

export interface CheckScope {
  seed: number;
  /** Everything the check writes goes in here. */
  runDir: string;
  /** Folder with tinyshakespeare.txt, for the check that needs it. */
  dataDir: string | undefined;
  signal: AbortSignal;
  reporter: StageReporter;
  /** What `schema` made of the check's own flags. */
  options: unknown;
}

export interface CheckOutcome {
  /** What was measured, limits or not. */
  figures: Record<string, number>;
  /** What has to hold. */
  bars: Bar[];
}

/** Training with a known outcome, too long for the tests: does it still get there? */
export interface LearningCheck {
  name: string;
  summary: string;
  /** The check's own flags. */
  schema?: ConfigSchema;
  run(scope: CheckScope): Promise<CheckOutcome>;
}
