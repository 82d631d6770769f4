import { engineOptions } from "@stagecraft/fields";
import { serveThread } from "@stagecraft/service-kit";
import { watchEngine } from "@stagecraft/telemetry";
import { initEngine, memoryReport } from "@stagecraft/tensor";
import { loadScorer } from "./open-service.js";
import type { LocalScorer } from "./scorer.js";
import type { ScoreThreadApi, ScoreThreadData, ScoreThreadFacts } from "./thread-protocol.js";

/** The worker thread of `createThreadedScorers`. */
serveThread<ScoreThreadData, ScoreThreadApi, ScoreThreadFacts>(async ({ data, metrics }) => {
  const { name, notice } = await initEngine(engineOptions(data.engine));
  watchEngine(metrics, memoryReport);
  const scorers: LocalScorer[] = [];
  for (const model of data.models) scorers.push(await loadScorer(model));
  const models = scorers.map(({ name, version, model, scoreMean, scoreStd }) => {
    return { name, version, model, scoreMean, scoreStd };
  });
  return {
    facts: { models, engine: { name, ...(notice && { notice }) } },
    handlers: {
      score: async ({ model, sequences }) => scorers[model]!.score(sequences),
    },
    close: async () => scorers.forEach((scorer) => scorer.dispose()),
  };
});
