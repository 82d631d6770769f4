import {
  startThread,
  threadModule,
  type SupervisedThread,
  type Thread,
} from "@stagecraft/service-kit";
import { loadTokenizerOf } from "@stagecraft/model";
import { renderScored, type Tokenizer } from "@stagecraft/tokenizer";
import type { Metrics } from "@stagecraft/telemetry";
import type { Scorer } from "./scorer.js";
import type { ScoreThreadApi, ScoreThreadData, ScoreThreadFacts } from "./thread-protocol.js";

export interface ThreadedScorersOptions extends ScoreThreadData {
  /** Without a sign of life from the thread for so long, it counts as stuck. */
  stuckAfterMs?: number;
  metrics?: Metrics;
}

/** Reward models in a thread of their own, so that this one is free to answer. */
export interface ThreadedScorers extends SupervisedThread, AsyncDisposable {
  /** In the order of the models; they live as long as the thread. */
  readonly scorers: readonly Scorer[];
  /** Name of the tensor engine that runs in the thread. */
  readonly engineName: string;
  /** What it cannot do as asked, such as take a number of threads. */
  readonly engineNotice: string | undefined;
}

/** Loads the models in a thread. When it dies, scoring throws `unavailable`. */
export async function createThreadedScorers(
  options: ThreadedScorersOptions,
): Promise<ThreadedScorers> {
  const { stuckAfterMs, metrics, ...data } = options;
  const [tokenizers, thread] = await Promise.all([
    Promise.all(options.models.map(({ dir, chat = {} }) => loadTokenizerOf(dir, chat))),
    startThread<ScoreThreadData, ScoreThreadApi, ScoreThreadFacts>({
      name: "scoring",
      module: threadModule("./thread.js", import.meta.url),
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
    engineName: engine.name,
    engineNotice: engine.notice,
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
