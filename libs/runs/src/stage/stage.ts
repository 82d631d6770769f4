import type { z } from "zod";
import type { Forecast, OutputFacts } from "./forecast.js";
import type { StageReporter } from "./reporter.js";
import type { StageInput } from "./stage-input.js";

export interface StageContext {
  runDir: string;
  /** Continue from the latest checkpoint; a directory without a run starts afresh. */
  resume: boolean;
  /** Replace an earlier run of the directory. Default false: an earlier run is refused. */
  overwrite?: boolean;
  /** What a person types to have this run replaced; default `--overwrite`. */
  startOver?: string;
  /**
   * Number of the lease that makes this process the writer, when there is one: it takes the run
   * directory from a process with a smaller number and stops writing when a larger one takes it.
   */
  epoch?: number | undefined;
  /** What names of things that are brought from elsewhere meant to the work that this run is a part of; see `remote`. */
  named?: Readonly<Record<string, string>>;
  /** Firing it makes the stage write a checkpoint at the next safe point and throw `cancelled`. */
  signal: AbortSignal;
  reporter: StageReporter;
  /** Told when a part of the work begins; what it returns is called when that part has ended. */
  onPhase?(phase: StagePhase): () => void;
}

/** A part of an update: where the time goes, and which answers it concerns. */
export interface StagePhase {
  name: "publish" | "wait" | "update" | "evaluate" | "checkpoint";
  /** What an update learns from; empty for the other parts. */
  rolloutIds: readonly string[];
}

export interface StageResult {
  /** Directory in Hugging Face layout, for stages that make a model. */
  modelDir?: string;
  /** Other files and directories of the result, by role. */
  outputs: Record<string, string>;
  /** Final figures, e.g. validationLoss. */
  metrics: Record<string, number>;
}

/**
 * What a stage leaves in its run directory beside what every run does, by entry. `work` would have to be
 * done again, `scratch` is made again in passing, `runs` is a folder of run directories.
 */
export type Leaves = Readonly<Record<string, "work" | "scratch" | "runs">>;

/** What a stage brings from elsewhere when it runs, by name, with the versions of it. */
export interface RemoteInputs<C> {
  /** What the names mean now. */
  newest(config: C, signal: AbortSignal): Promise<Record<string, string>>;
  /** What they meant to the run of a directory. */
  used(config: C, runDir: string): Promise<Record<string, string>>;
}

/** A stage of training, as commands, pipelines and the trainer run it; see `defineStage`. */
export interface StageDefinition<C> {
  name: string;
  /** One line for --help. */
  summary: string;
  /** A flat strict object; the CLI makes flags and help of its fields. */
  schema: z.ZodObject;
  /** Fields that a resumed run may have otherwise, beside those of every stage: they change no result. */
  mayChange?: readonly (keyof C & string)[];
  /** What it reads. */
  inputs?(config: C): StageInput[];
  /** Settings that contradict each other, one sentence each; no file is looked at. */
  contradictions?(config: C): string[];
  /** Further problems that show before any work, one sentence each. */
  problems?(config: C, ahead: Forecast): Promise<string[]>;
  /** What its outputs will be, by name (`model`, `answers`, …), as far as that is known already. */
  outputs?(config: C, ahead: Forecast): Promise<Record<string, OutputFacts>>;
  leaves?: Leaves;
  /** Of what it reads from elsewhere, such as models in object stores: names and their versions. */
  remote?: RemoteInputs<C>;
  run(config: C, context: StageContext): Promise<StageResult>;
  /** Command lines for --help. */
  examples: string[];
}

/** What the run layer has to know of a stage. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the configuration is the stage's business
export type StageFacts = Pick<StageDefinition<any>, "name" | "inputs" | "leaves"> & {
  schema?: z.ZodObject;
  mayChange?: readonly string[];
};
