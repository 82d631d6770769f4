import {
  common,
  invalidField,
  parseScoreInput,
  reward,
  type ParsedScoreInput,
} from "@stagecraft/contracts";
import { StagecraftError } from "@stagecraft/core";
import type { Cancellation, Handlers, RpcServer } from "@stagecraft/rpc";
import { createLoopGate } from "@stagecraft/service-kit";
import { checkTextBytes, readRendered, scoredPart } from "@stagecraft/tokenizer";
import { createModelSet, type BatchingOptions, type ServedModel } from "./model-set.js";
import type { ScoreOne, ScoreOptions } from "./score-one.js";
import { scoreStream } from "./score-stream.js";
import type { ScoredSequence, Scorer } from "./scorer.js";
import { fitTokens, type FittedTokens, type Truncation } from "./truncate.js";

/** Bytes of text encoded in one turn of the event loop: some milliseconds. */
const gate = createLoopGate(16 * 1024);
/** A text that is to be cut may have so many times the model's longest context. */
const MAX_CUT = 8;

export interface RewardModelServiceDeps extends BatchingOptions {
  /** The first is the default. Disposed on close. */
  scorers: readonly Scorer[];
  /** Items in one ScoreBatch at most. */
  maxItemsPerRequest: number;
}

/** A service that can be put on a server. */
export interface RewardModelService {
  /** For callers in this process; see `callInProcess`. */
  readonly handlers: Handlers<typeof reward.RewardServiceService>;
  register(server: RpcServer): void;
  /** Finishes what is queued and disposes the models. */
  close(): Promise<void>;
}

/** RewardService over scorers: dynamic batches, explicit truncation, versions in every answer. */
export function createRewardModelService(deps: RewardModelServiceDeps): RewardModelService {
  const models = createModelSet(deps.scorers, deps);
  const handlers: Handlers<typeof reward.RewardServiceService> = {
    async scoreBatch({ items, model, truncation }, { cancellation }) {
      checkItemCount(items.length, deps.maxItemsPerRequest);
      const served = models.select(model);
      const checked = items.map((item, i) =>
        check(item, { served, truncation, field: `items[${i}]` }),
      );
      const fitted: FittedTokens[] = [];
      for (const each of checked) fitted.push(await prepare(each, cancellation));
      const values = await served.batcher.submit(
        fitted.map(({ ids }) => ids),
        cancellation,
      );
      const scores = fitted.map((tokens, i) => toScore(values[i]!, tokens));
      return { scores, ...identify(served) };
    },
    scoreStream: (requests, { cancellation }) =>
      scoreStream(requests, { cancellation, models, scoreOne, maxInFlight: deps.maxBatch * 2 }),
    async getModelInfo({ model }) {
      return { info: describe(models.select(model)) };
    },
    async listModels() {
      return { models: models.all().map(describe) };
    },
  };
  return {
    handlers,
    register: (server) => server.addService(reward.RewardServiceService, handlers),
    close: () => models.close(),
  };
}

const scoreOne: ScoreOne = async (item, options) => {
  const tokens = await prepare(check(item, options), options.cancellation);
  const [value] = await options.served.batcher.submit([tokens.ids], options.cancellation);
  return toScore(value!, tokens);
};

/** An item whose cheap checks are done: its fields, and the length of its text in bytes. */
interface CheckedItem {
  parsed: ParsedScoreInput;
  numBytes: number;
  options: Omit<ScoreOptions, "cancellation" | "truncation"> & { truncation: Truncation };
}

function check(
  item: reward.ScoreInput | undefined,
  options: Omit<ScoreOptions, "cancellation">,
): CheckedItem {
  const { served, field } = options;
  const { model, tokenizer } = served.scorer;
  const { vocabSize, maxPositions } = model.config;
  const parsed = parseScoreInput(item, field, { vocabSize });
  const truncation = truncationOf(options.truncation);
  const maxTokens = truncation === "refuse" ? maxPositions : MAX_CUT * maxPositions;
  const texts = textsOf(parsed);
  const numBytes = texts.length === 0 ? 0 : checkTextBytes(texts, { tokenizer, maxTokens, field });
  return { parsed, numBytes, options: { ...options, truncation } };
}

/** Large texts wait for a turn of the event loop. */
async function prepare(
  { parsed, numBytes, options: { served, truncation, field } }: CheckedItem,
  cancellation: Cancellation,
): Promise<FittedTokens> {
  if (numBytes > 0) await gate(numBytes);
  cancellation.throwIfCancelled();
  const maxLength = served.scorer.model.config.maxPositions;
  return fitTokens(idsOf(parsed, served, field), { maxLength, truncation, field });
}

function idsOf(parsed: ParsedScoreInput, { scorer }: ServedModel, field: string): Int32Array {
  if (parsed.kind === "tokens") return scoredPart(scorer.tokenizer, parsed.ids);
  if (parsed.kind === "conversation") return scorer.render(parsed.messages);
  return scoredPart(scorer.tokenizer, readKnown(parsed.text, scorer, field));
}

/**
 * Checked here, not with its batch, which would fail as a whole: a special token may have no row, as Gemma 3's for
 * images.
 */
function readKnown(text: string, { tokenizer, model }: Scorer, field: string): Int32Array {
  const ids = readRendered(tokenizer, text);
  const unknown = ids.find((id) => id >= model.config.vocabSize);
  if (unknown === undefined) return ids;
  const token = JSON.stringify(tokenizer.tokenOf(unknown));
  throw new StagecraftError(
    "invalid_argument",
    `${field}.rendered has ${token}, for which the model has no embedding; leave it out`,
    { details: { field: `${field}.rendered` } },
  );
}

function textsOf(parsed: ParsedScoreInput): string[] {
  if (parsed.kind === "rendered") return [parsed.text];
  return parsed.kind === "tokens" ? [] : parsed.messages.map(({ content }) => content);
}

function truncationOf(policy: reward.TruncationPolicy): Truncation {
  switch (policy) {
    case reward.TruncationPolicy.UNSPECIFIED:
    case reward.TruncationPolicy.REFUSE:
      return "refuse";
    case reward.TruncationPolicy.KEEP_END:
      return "keep_end";
    default:
      throw invalidField("truncation", policy, "REFUSE or KEEP_END");
  }
}

function checkItemCount(count: number, max: number): void {
  if (count >= 1 && count <= max) return;
  throw invalidField("length of items", count, `from 1 to ${max}`);
}

function toScore(scored: ScoredSequence, { ids, numTruncated }: FittedTokens): reward.Score {
  const { value, uncertainty } = scored;
  return { value, uncertainty, numTokens: ids.length, numTruncated };
}

/** Name and version as every answer carries them. */
function identify({ scorer }: ServedModel): { model: string; modelVersion: string } {
  return { model: scorer.name, modelVersion: scorer.version };
}

function describe({ scorer }: ServedModel): common.ModelInfo {
  const { config, numParams } = scorer.model;
  const { pad, bos, eos } = scorer.tokenizer.specials;
  return common.ModelInfo.fromPartial({
    name: scorer.name,
    version: scorer.version,
    kind: common.ModelKind.REWARD,
    ...config,
    numParams: BigInt(numParams),
    tokenizerFingerprint: scorer.tokenizer.fingerprint,
    chatFingerprint: scorer.tokenizer.chatFingerprint,
    specialTokens: { pad, bos, eos, ends: [...scorer.tokenizer.endIds] },
    scoreMean: scorer.scoreMean,
    scoreStd: scorer.scoreStd,
  });
}
