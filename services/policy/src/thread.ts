import { StagecraftError } from "@stagecraft/core";
import { loadModel, loadTokenizerOf } from "@stagecraft/model";
import { engineOptions } from "@stagecraft/fields";
import { Moved, serveThread, toPlainError } from "@stagecraft/service-kit";
import { createLogger, watchEngine } from "@stagecraft/telemetry";
import { initEngine, memoryReport } from "@stagecraft/tensor";
import type { Withdraw } from "./answers.js";
import type { TokenChunk } from "./engine.js";
import { createLocalEngine } from "./local-engine.js";
import type {
  EngineThreadApi,
  EngineThreadData,
  EngineThreadEvent,
  EngineThreadFacts,
  TokenBatch,
} from "./thread-protocol.js";
import { createTokenBatcher } from "./token-batcher.js";

/** The worker thread of `createThreadedEngine`: a local engine, its tokens told in one message for all. */
serveThread<EngineThreadData, EngineThreadApi, EngineThreadFacts, EngineThreadEvent>(
  async ({ data, emit, metrics }) => {
    const { modelDir, chat = {}, engine: settings, logLevel, streamIntervalMs, ...options } = data;
    const { name, notice } = await initEngine(engineOptions(settings));
    watchEngine(metrics, memoryReport);
    const tokenizer = await loadTokenizerOf(modelDir, chat);
    const model = await loadModel(modelDir, { heads: ["lm"] });
    const batcher = createTokenBatcher({ intervalMs: streamIntervalMs });
    const tell = (tokens: TokenBatch | undefined) => {
      if (!tokens) return;
      const { numActive, numSteps, numTokensGenerated, busyMs } = engine.status();
      const status = { numActive, numSteps, numTokensGenerated, busyMs };
      emit({ kind: "tokens", tokens, status });
    };
    const withdraws = new Map<number, Withdraw>();
    const engine = createLocalEngine({
      ...options,
      model,
      tokenizer,
      logger: createLogger({ service: "policy", level: logLevel, bindings: { thread: "engine" } }),
      onWeights: (weights) => emit({ kind: "weights", weights }),
      onStep: () => tell(batcher.take()),
    });
    const sinkOf = (handle: number) => ({
      push(chunk: TokenChunk) {
        if (chunk.finishReason !== undefined) withdraws.delete(handle);
        batcher.add(handle, chunk);
      },
      fail(error: StagecraftError) {
        withdraws.delete(handle);
        tell(batcher.leave(handle));
        emit({ kind: "failed", handle, error: toPlainError(error) });
      },
    });
    const { tokenizer: _, ...facts } = engine.facts;
    return {
      facts: {
        model: facts,
        kvTokens: engine.kvTokens,
        engine: { name, ...(notice && { notice }) },
      },
      handlers: {
        async start({ handles, requests }) {
          const sinks = handles.map(sinkOf);
          try {
            const started = engine.start(requests, sinks);
            started.forEach((withdraw, i) => withdraws.set(handles[i]!, withdraw));
          } catch (thrown) {
            for (const sink of sinks) sink.fail(StagecraftError.from(thrown));
          }
        },
        async withdraw(handle) {
          withdraws.get(handle)?.(new StagecraftError("cancelled", "withdrawn"));
        },
        async scoreLogProbs({ sequences, temperature }, signal) {
          const scored = await engine.scoreLogProbs(sequences, temperature, signal);
          const buffers = new Set(scored.logProbs.map(({ buffer }) => buffer as ArrayBuffer));
          return new Moved(scored, [...buffers]);
        },
        judge: ({ ids, numTop }, signal) => engine.judge(ids, numTop, signal),
        loadWeights: ({ weights, tensors }) => engine.loadWeights(weights, tensors),
      },
      close: () => engine.close(),
    };
  },
);
