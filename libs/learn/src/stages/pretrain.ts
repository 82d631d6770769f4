import { join } from "node:path";
import { StagecraftError } from "@stagecraft/core";
import {
  corpusSource,
  openPretrainBatches,
  prepareCorpus,
  readTexts,
  shareProblem,
  type CorpusProgress,
  type PreparedCorpus,
} from "@stagecraft/data";
import {
  ARCHITECTURES,
  checkVocabulary,
  createModel,
  loadModel,
  presetConfig,
  type Model,
} from "@stagecraft/model";
import {
  commonFields,
  contextProblems,
  dataInputs,
  defineStage,
  type Forecast,
  modelFacts,
  modelInputs,
  optimizationFields,
  optimizerFor,
  progressFields,
  type StageContext,
  type StageResult,
  type StageScope,
  writtenModelFields,
} from "@stagecraft/runs";
import {
  loadTokenizer,
  rowsNeeded,
  saveTokenizer,
  trainBpe,
  trainCharTokenizer,
  type Tokenizer,
} from "@stagecraft/tokenizer";
import { choice, decimal, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";
import { devicesContradictions, devicesFigure, splitFor, type Split } from "../batch/split-rows.js";
import { corpusFields, devicesField, selectModelField } from "./fields.js";
import { lmTask, takeBatches } from "./language-model.js";
import { trainToModel } from "./train-model.js";

const schema = z.strictObject({
  corpus: texts().describe(
    "Texts: .txt, .md, .jsonl(.gz) or folders; PATH=WEIGHT draws a source more or less",
  ),
  ...corpusFields,
  cacheDir: text("").describe("Where tokenized text is cached; empty = inside the run directory"),
  split: choice(["documents", "tail"], "documents").describe(
    "Hold out whole documents, or the last part of the text",
  ),
  validationFraction: decimal({ max: 0.5, default: 0.05 }).describe("Share held out"),
  maxBadRecords: whole({ default: 0 }).describe("Malformed records to skip before stopping"),
  tokenizer: text("").describe("Directory of a tokenizer; empty = train one on the corpus first"),
  tokenizerKind: choice(["bpe", "chars"], "bpe").describe(
    "Kind of tokenizer to train: byte-level BPE, or characters",
  ),
  vocabSize: whole({ min: 263, max: 1_000_000, default: 4096 }).describe("BPE: tokens in all"),
  init: text("").describe(
    "Model directory to continue from; empty = fresh weights of the sizes below",
  ),
  architecture: choice(ARCHITECTURES, "llama").describe("Family of the model"),
  numLayers: whole({ min: 1, max: 200, default: 4 }).describe("Transformer layers"),
  numHeads: whole({ min: 1, max: 256, default: 4 }).describe("Attention heads"),
  numKvHeads: whole({ max: 256, default: 0 }).describe("Key/value heads, 0 = numHeads"),
  hiddenSize: whole({ min: 2, max: 65_536, default: 128 }).describe("Width"),
  intermediateSize: whole({ default: 0 }).describe("Width of the MLP, 0 = the family's rule"),
  tieEmbeddings: choice(["default", "yes", "no"], "default").describe(
    "Share input and output embeddings; default = as the family does",
  ),
  bias: choice(["default", "yes", "no"], "default").describe(
    "Biases in linear maps and norms; default = as the family does",
  ),
  ropeTheta: decimal({ default: 0 }).describe(
    "Base of the rotary positions, 0 = the family's; refused where it has none (gpt2)",
  ),
  contextLength: whole({ min: 2, max: 1_048_576, default: 256 }).describe("Tokens per sequence"),
  batchSize: whole({ min: 1, default: 12 }).describe("Sequences per micro-batch"),
  batching: choice(["packed", "random-window"], "packed").describe(
    "Whole documents packed into rows, or windows anywhere in the text (nanoGPT)",
  ),
  steps: whole({ min: 1, default: 2000 }).describe("Optimizer steps"),
  evalBatches: whole({ min: 1, default: 20 }).describe("Held-out batches per evaluation"),
  selectModel: selectModelField("validation loss"),
  ...optimizationFields({ learningRate: 1e-3, warmupSteps: 100, weightDecay: 0.1 }),
  ...progressFields,
  ...writtenModelFields,
  devices: devicesField,
  ...commonFields,
});

export type PretrainConfig = z.infer<typeof schema>;

/** Trains a base language model on text, from fresh weights or from a model directory. */
export const pretrainStage = defineStage<PretrainConfig>({
  name: "pretrain",
  summary: "train a base language model on text",
  schema,
  mayChange: ["devices"],
  examples: [
    "npx stagecraft pretrain --corpus texts/ --run runs/base",
    "npx stagecraft pretrain --corpus examples/data/text.txt --tokenizer-kind chars --split tail --validation-fraction 0.1 --architecture gpt2 --bias no --context-length 64 --steps 300 --run runs/characters",
  ],
  inputs: ({ corpus, tokenizer, init }) => [
    ...dataInputs({ corpus: corpus.map((text) => corpusSource(text).path) }),
    ...(tokenizer === ""
      ? []
      : [{ field: "tokenizer", kind: "tokenizer" as const, path: tokenizer }]),
    ...modelInputs({ init }),
  ],
  contradictions: devicesContradictions,
  problems: sizeProblems,
  outputs: async ({ init, contextLength }, ahead) => ({
    model: init ? await modelFacts(init, ahead) : { maxPositions: contextLength, heads: ["lm"] },
  }),
  leaves: { tokenizer: "scratch", corpus: "scratch" },
  work: pretrain,
});

async function pretrain(config: PretrainConfig, scope: StageScope): Promise<StageResult> {
  const split = splitFor(config);
  const tokenizer = await tokenizerFor(config, scope);
  const corpus = await prepareCorpus({
    sources: config.corpus.map((text) => corpusSource(text, config)),
    tokenizer,
    cacheDir: config.cacheDir || join(scope.run.dir, "corpus"),
    validationFraction: config.validationFraction,
    split: config.split,
    maxBadRecords: config.maxBadRecords,
    onBadRecord: (bad) => scope.context.reporter.warn(bad.message),
    onProgress: tokenizeProgress(scope.context),
    onNotice: (message) => scope.context.reporter.warn(message),
    signal: scope.context.signal,
  });
  tellCorpus(corpus, scope.context);
  warnOfShare(corpus, config, scope.context);
  const model = await modelFor(config, tokenizer);
  try {
    return await trainOn(corpus, { config, model, tokenizer, split, ...scope });
  } finally {
    model.dispose();
  }
}

const REPORT_EVERY_CHARS = 1 << 20;

/** A line now and then: the first document's length would pass for the whole corpus. */
function tokenizeProgress({ reporter }: StageContext) {
  let next = REPORT_EVERY_CHARS;
  return ({ phase, done }: CorpusProgress) => {
    if (phase !== "tokenizing" || done < next) return;
    next = done + REPORT_EVERY_CHARS;
    reporter.progress({ stage: "tokenize", done, total: 0, unit: "characters" });
  };
}

function tellCorpus(
  { train, validation, reused }: PreparedCorpus,
  { reporter }: StageContext,
): void {
  const sum = (field: "numDocuments" | "numChars" | "numTokens") =>
    (train[field] + validation[field]).toLocaleString("en");
  reporter.info(
    `corpus${reused ? " (tokenized before)" : ""}: ${sum("numDocuments")} documents, ` +
      `${sum("numChars")} characters, ${sum("numTokens")} tokens`,
  );
}

function warnOfShare(
  { train, validation }: PreparedCorpus,
  { validationFraction: fraction }: PretrainConfig,
  { reporter }: StageContext,
): void {
  const numDocuments = train.numDocuments + validation.numDocuments;
  const sizes = { numTrain: train.numTokens, numHeldOut: validation.numTokens, what: "tokens" };
  const problem = shareProblem({ fraction, ...sizes });
  if (problem === undefined) return;
  reporter.warn(
    `${problem}: ${numDocuments} documents of uneven length do not split evenly; --split tail does`,
  );
}

interface TrainParts {
  model: Model;
  tokenizer: Tokenizer;
  split: Split | undefined;
}

async function trainOn(
  corpus: PreparedCorpus,
  parts: StageScope & TrainParts & { config: PretrainConfig },
): Promise<StageResult> {
  const { config, model, tokenizer, split, run } = parts;
  const { batchSize, contextLength: length, batching: mode, seed } = config;
  const batches = { batchSize, length, mode, seed };
  const validation =
    config.validationFraction > 0
      ? await takeBatches(
          openPretrainBatches(corpus, { ...batches, split: "validation" }),
          config.evalBatches,
        )
      : [];
  const optimizer = optimizerFor(model.params, config);
  const source = openPretrainBatches(corpus, { ...batches, split: "train" });
  const task = lmTask({
    ...{ stage: "pretrain", model, optimizer, source, split, validation, tokenizer, run },
  });
  const figures = { numParams: model.numParams, ...devicesFigure(config) };
  return trainToModel(task, { ...parts, steps: config.steps, figures });
}

/** The given tokenizer, or one trained on the corpus and kept in the run directory. */
async function tokenizerFor(
  config: PretrainConfig,
  { run, context }: StageScope,
): Promise<Tokenizer> {
  if (config.tokenizer) return loadTokenizer(config.tokenizer);
  if (config.init) return loadTokenizer(config.init);
  const dir = join(run.dir, "tokenizer");
  if (context.resume) {
    const earlier = await loadTokenizer(dir).catch(() => undefined);
    if (earlier) return earlier;
  }
  context.reporter.info(`training a tokenizer (${config.tokenizerKind})`);
  const texts = textsOf(config, context);
  const { signal } = context;
  const tokenizer =
    config.tokenizerKind === "chars"
      ? await trainCharTokenizer(texts, { signal })
      : await trainBpe(texts, { vocabSize: config.vocabSize, signal });
  await saveTokenizer(tokenizer, dir);
  return tokenizer;
}

function textsOf(config: PretrainConfig, { reporter, signal }: StageContext) {
  return readTexts(
    config.corpus.map((text) => corpusSource(text, config)),
    {
      maxBadRecords: config.maxBadRecords,
      onBadRecord: (bad) => reporter.warn(bad.message),
      signal,
    },
  );
}

async function modelFor(config: PretrainConfig, tokenizer: Tokenizer): Promise<Model> {
  if (!config.init) return createModel(freshConfig(config, tokenizer), { seed: config.seed });
  const model = await loadModel(config.init, { heads: ["lm"] });
  checkVocabulary(model.config, rowsNeeded(tokenizer.files()), config.init);
  return model;
}

/** The fresh model's configuration; throws `invalid_argument` for sizes that do not fit. */
function freshConfig(config: PretrainConfig, { vocabSize }: Pick<Tokenizer, "vocabSize">) {
  const { numLayers, numHeads, hiddenSize, contextLength } = config;
  const flag = (value: "default" | "yes" | "no") =>
    value === "default" ? undefined : value === "yes";
  const overrides = {
    numKvHeads: config.numKvHeads || undefined,
    intermediateSize: config.intermediateSize || undefined,
    ropeTheta: config.ropeTheta || undefined,
    tieEmbeddings: flag(config.tieEmbeddings),
    bias: flag(config.bias),
  };
  const sizes = {
    ...{ vocabSize, hiddenSize, numLayers, numHeads },
    maxPositions: contextLength,
    ...Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined)),
  };
  return presetConfig(config.architecture, sizes);
}

async function sizeProblems(config: PretrainConfig, ahead: Forecast): Promise<string[]> {
  if (config.init) return contextProblems(config.contextLength, [config.init], ahead);
  try {
    freshConfig(config, config); // the vocabulary's size is the tokenizer's matter
    return [];
  } catch (thrown) {
    return [StagecraftError.from(thrown).reason];
  }
}
