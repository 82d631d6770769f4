import {
  common,
  finishReasonOf,
  invalidField,
  parseScoreLogProbsRequest,
  parseWeightVersion,
  policy,
  toTokens,
  type ParsedWeights,
} from "@stagecraft/contracts";
import { mapAsync, openLater, StagecraftError } from "@stagecraft/core";
import type { CallContext, Cancellation, Handlers, RpcServer } from "@stagecraft/rpc";
import { silentLogger, type Logger, type Metrics } from "@stagecraft/telemetry";
import { startOfText } from "@stagecraft/tokenizer";
import type { WeightFollower } from "@stagecraft/weights";
import { createAnswerText } from "./answer-text.js";
import type { PolicyEngine, SequenceRequest, TokenChunk } from "./engine.js";
import { modelDefaults } from "./model-defaults.js";
import { createPolicyMeter, type PolicyMeter } from "./policy-meter.js";
import { checkInput, prepareInput, type CheckedInput } from "./prompt.js";
import { describeToken } from "./token-details.js";

export interface PolicyServiceDeps {
  /** Closed with the service. */
  engine: PolicyEngine;
  follower: WeightFollower;
  /** Inputs in one GenerateBatch, sequences in one ScoreLogProbs. */
  maxItemsPerRequest: number;
  metrics?: Metrics;
  logger?: Logger;
}

/** A service that can be put on a server. */
export interface PolicyService {
  /** For callers in this process; see `callInProcess`. */
  readonly handlers: Handlers<typeof policy.PolicyServiceService>;
  register(server: RpcServer): void;
  /** Fails what is in flight and frees the model. */
  close(): Promise<void>;
}

/** PolicyService over an engine. */
export function createPolicyService(deps: PolicyServiceDeps): PolicyService {
  const meter = createPolicyMeter(deps.engine, deps.metrics);
  const handlers = createHandlers(deps, meter);
  return {
    handlers,
    register: (server) => server.addService(policy.PolicyServiceService, handlers),
    close() {
      meter.close();
      return deps.engine.close();
    },
  };
}

function createHandlers(
  deps: PolicyServiceDeps,
  meter: PolicyMeter,
): Handlers<typeof policy.PolicyServiceService> {
  const { engine, follower } = deps;
  const { facts } = engine;
  const how = { facts, fillDefaults: modelDefaults(facts, deps.logger ?? silentLogger()) };
  const submit = (requests: SequenceRequest[], cancellation: Cancellation) => {
    const answers = meter.watch(requests, engine.submit(requests, cancellation));
    const floor = Math.max(...requests.map((request) => request.minWeightVersion));
    if (floor > 0 && floor > engine.status().weights.version) void follower.catchUp();
    return answers;
  };
  return {
    generate: ({ model, input }, context) =>
      openLater(async () => {
        checkModel(model, facts.name);
        const checked = checkInput(input, "input", how);
        const request = await prepareInput(checked, facts, context.cancellation);
        const answer = () =>
          streamAnswer(request, submit([request], context.cancellation)[0]!, engine);
        if (!checked.parsed.echo) return answer();
        return echoed(judgePrompt(checked, request, { engine, context }), request, answer);
      }),
    async generateBatch({ model, inputs }, { cancellation }) {
      checkModel(model, facts.name);
      checkCount(inputs.length, "inputs", deps.maxItemsPerRequest);
      const checked = inputs.map((input, i) => checkInput(input, `inputs[${i}]`, how));
      checked.forEach(refuseForBatch);
      const requests: SequenceRequest[] = [];
      for (const each of checked) requests.push(await prepareInput(each, facts, cancellation));
      const answers = submit(requests, cancellation);
      const generations = await Promise.all(
        answers.map((chunks, i) => collectAnswer(requests[i]!, chunks, engine)),
      );
      return { generations, model: facts.name };
    },
    async scoreLogProbs(request, { signal }) {
      checkModel(request.model, facts.name);
      const { sequences, temperature } = parseScoreLogProbsRequest(request, {
        vocabSize: facts.vocabSize,
        maxLength: facts.maxPositions,
        maxSequences: deps.maxItemsPerRequest,
      });
      const { logProbs, weights } = await engine.scoreLogProbs(sequences, temperature, signal);
      return {
        sequences: logProbs.map((numbers) => ({ logProbs: Array.from(numbers) })),
        weights: toWeights(weights),
      };
    },
    async getModelInfo({ model }) {
      checkModel(model, facts.name);
      return { info: describe(engine) };
    },
    async getStatus() {
      const { weights, numTokensGenerated, numSteps, busyMs: _, ...counts } = engine.status();
      return {
        ...counts,
        weights: toWeights(weights),
        loading: follower.loading && toWeights(follower.loading),
        numTokensGenerated: BigInt(numTokensGenerated),
        numSteps: BigInt(numSteps),
      };
    },
    async loadWeights({ weights, allowRollback }) {
      await follower.load(parseWeightVersion(weights, "weights"), { allowRollback });
      return { weights: toWeights(engine.status().weights) };
    },
  };
}

async function* echoed(
  judged: Promise<policy.GenerateResponse>,
  { sampling }: SequenceRequest,
  answer: () => AsyncIterable<policy.GenerateResponse>,
): AsyncGenerator<policy.GenerateResponse> {
  yield await judged;
  if (sampling.maxNewTokens > 0) yield* answer();
}

/** What stands before an answer whose prompt is to be judged; all there is of one without tokens. */
async function judgePrompt(
  { parsed }: CheckedInput,
  { promptIds, numTop, sampling }: SequenceRequest,
  { engine, context }: { engine: PolicyEngine; context: Pick<CallContext, "signal"> },
): Promise<policy.GenerateResponse> {
  const { tokenizer } = engine.facts;
  const { logProbs, tops, weights } = await engine.judge(promptIds, numTop ?? 0, context.signal);
  const tokenIds = Array.from(promptIds);
  const isAll = sampling.maxNewTokens === 0;
  return policy.GenerateResponse.fromPartial({
    prompt: {
      tokenIds,
      logProbs: logProbs.map(Math.fround),
      details:
        numTop === undefined ? [] : tokenIds.map((id, i) => describeToken(tokenizer, id, tops[i]!)),
      beginsDocument: parsed.prompt.kind === "text" && startOfText(tokenizer).length > 0,
      weights: toWeights(weights),
    },
    ...(isAll
      ? { finishReason: common.FinishReason.LENGTH, numPromptTokens: promptIds.length }
      : {}),
  });
}

/** What only a stream has a place for. */
function refuseForBatch({ parsed: { echo, numTop }, field }: CheckedInput): void {
  if (echo) throw invalidField(`${field}.echo`, echo, "unset: only Generate judges prompts");
  if (numTop === undefined) return;
  throw invalidField(`${field}.num_top_log_probs`, numTop, "unset: only Generate tells them");
}

function streamAnswer(
  request: SequenceRequest,
  chunks: AsyncIterable<TokenChunk>,
  engine: PolicyEngine,
): AsyncIterable<policy.GenerateResponse> {
  const answer = createAnswerText(engine.facts.tokenizer, request.sampling.stop);
  const versions = new Set<number>();
  let isFirst = true;
  const detailsOf = ({ tokenIds, tops }: Pick<TokenChunk, "tokenIds" | "tops">) =>
    tops ? tokenIds.map((id, i) => describeToken(engine.facts.tokenizer, id, tops[i]!)) : [];
  return mapAsync(chunks, (chunk) => {
    const { tokenIds, weightVersions, finishReason } = chunk;
    for (const version of weightVersions) versions.add(version);
    const isLast = finishReason !== undefined;
    const weights = isFirst || isLast ? namedWeights(versions, engine) : [];
    isFirst = false;
    return {
      tokenIds,
      logProbs: chunk.logProbs.map(Math.fround), // the same with and without a connection
      weightVersions,
      text: isLast ? answer.finish(tokenIds, chunk.text) : answer.push(tokenIds),
      finishReason: isLast ? finishReasonOf(finishReason) : common.FinishReason.UNSPECIFIED,
      weights,
      numPromptTokens: isLast ? request.promptIds.length : 0,
      prompt: undefined,
      details: detailsOf(chunk),
    };
  });
}

async function collectAnswer(
  { promptIds }: SequenceRequest,
  chunks: AsyncIterable<TokenChunk>,
  engine: PolicyEngine,
): Promise<policy.Generation> {
  const tokenIds: number[] = [];
  const logProbs: number[] = [];
  const weightVersions: number[] = [];
  let last: TokenChunk | undefined;
  for await (const chunk of chunks) {
    tokenIds.push(...chunk.tokenIds);
    logProbs.push(...chunk.logProbs);
    weightVersions.push(...chunk.weightVersions);
    last = chunk;
  }
  return {
    promptIds: toTokens(promptIds).ids,
    tokenIds,
    logProbs,
    weightVersions,
    text: last?.text ?? engine.facts.tokenizer.decode(tokenIds),
    finishReason: finishReasonOf(last!.finishReason!),
    weights: namedWeights(new Set(weightVersions), engine),
  };
}

function namedWeights(versions: ReadonlySet<number>, engine: PolicyEngine): common.WeightVersion[] {
  const sorted = [...versions].sort((a, b) => a - b);
  return sorted.map((version) =>
    toWeights(engine.weightsOf(version) ?? { version, sha256: "", step: 0 }),
  );
}

function describe(engine: PolicyEngine): common.ModelInfo {
  const { facts } = engine;
  const { weights } = engine.status();
  const { pad, bos, eos } = facts.tokenizer.specials;
  return common.ModelInfo.fromPartial({
    name: facts.name,
    version: `v${weights.version}${weights.sha256 ? `-${weights.sha256.slice(0, 12)}` : ""}`,
    kind: common.ModelKind.POLICY,
    weights: toWeights(weights),
    architecture: facts.architecture,
    numParams: BigInt(facts.numParams),
    vocabSize: facts.vocabSize,
    maxPositions: facts.maxPositions,
    tokenizerFingerprint: facts.tokenizer.fingerprint,
    chatFingerprint: facts.tokenizer.chatFingerprint,
    specialTokens: { pad, bos, eos, ends: [...facts.tokenizer.endIds] },
  });
}

function toWeights({ version, sha256, step }: ParsedWeights): common.WeightVersion {
  return { version, sha256, step: BigInt(step), sizeBytes: 0n };
}

function checkModel(wanted: string, served: string): void {
  if (wanted === "" || wanted === served) return;
  throw new StagecraftError("not_found", `no model ${JSON.stringify(wanted)} here, only ${served}`);
}

function checkCount(count: number, field: string, max: number): void {
  if (count >= 1 && count <= max) return;
  throw invalidField(`length of ${field}`, count, `from 1 to ${max}`);
}
