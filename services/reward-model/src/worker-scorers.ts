import {
  startThread,
  threadModule,
  type EngineSettings,
  type SupervisedThread,
  type Thread,
} from "@stagecraft/service-kit";
import { loadTokenizer, renderScored, type Tokenizer } from "@stagecraft/tokenizer";
import type { Metrics } from "@stagecraft/telemetry";
import type { NamedModelDir } from "./open.js";
import type { ScoredSequence, Scorer } from "./scorer.js";

export interface WorkerScorersOptions {
  models: readonly NamedModelDir[];
  engine: EngineSettings;
  /** Without a sign of life from the thread for so long, it counts as stuck. */
  stuckAfterMs?: number;
  metrics?: Metrics;
}

/** Reward models in a thread of their own, so that this one is free to answer. */
export interface WorkerScorers extends SupervisedThread, AsyncDisposable {
  /** In the order of the models; they live as long as the thread. */
  readonly scorers: readonly Scorer[];
  /** Name of the tensor engine that runs in the thread. */
  readonly engineName: string;
}

/** What the thread is started with. */
export type ScoreThreadData = Pick<WorkerScorersOptions, "models" | "engine">;

/** What it tells when it is ready. */
export interface ScoreThreadFacts {
  models: Pick<Scorer, "name" | "version" | "model" | "scoreMean" | "scoreStd">[];
  /** Name of the tensor engine. */
  engine: string;
}

export type ScoreThreadApi = {
  score(args: { model: number; sequences: Int32Array[] }): Promise<ScoredSequence[]>;
};

/** Loads the models in a thread. When it dies, scoring throws `unavailable`. */
export async function createWorkerScorers(options: WorkerScorersOptions): Promise<WorkerScorers> {
  const { stuckAfterMs, metrics, ...data } = options;
  const [tokenizers, thread] = await Promise.all([
    Promise.all(options.models.map(({ dir }) => loadTokenizer(dir))),
    startThread<ScoreThreadData, ScoreThreadApi, ScoreThreadFacts>({
      name: "scoring",
      module: threadModule("./score-thread.js", import.meta.url),
      data,
      ...(stuckAfterMs === undefined ? {} : { stuckAfterMs }),
      ...(metrics === undefined ? {} : { metrics }),
    }),
  ]);
  const { models, engine } = thread.facts;
  return {
    scorers: models.map((facts, model) => ({
      ...facts,
      ...scorerIn(thread, { model, tokenizer: tokenizers[model]! }),
    })),
    engineName: engine,
    ended: thread.ended,
    onHealth: (listener) => thread.onHealth(listener),
    [Symbol.asyncDispose]: () => thread.close(),
  };
}

function scorerIn(
  thread: Thread<ScoreThreadApi, ScoreThreadFacts>,
  { model, tokenizer }: { model: number; tokenizer: Tokenizer },
): Pick<Scorer, "tokenizer" | "render" | "score" | "dispose"> {
  return {
    tokenizer,
    render: (messages) => renderScored(tokenizer, [...messages]),
    score: (sequences) => {
      // Copies: a view would take its whole buffer along.
      const copies = sequences.map((ids) => ids.slice());
      return thread.call("score", { model, sequences: copies });
    },
    dispose: () => undefined,
  };
}
