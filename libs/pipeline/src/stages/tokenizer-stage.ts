import { choice, flag, texts, whole } from "@stagecraft/fields";
import { z } from "zod";
import { corpusSource, readTexts, type BadRecord } from "@stagecraft/data";
import { corpusFields } from "@stagecraft/learn";
import { dataInputs, defineStage, type StageContext } from "@stagecraft/runs";
import {
  saveTokenizer,
  trainBpe,
  trainCharTokenizer,
  type TrainProgress,
} from "@stagecraft/tokenizer";

const schema = z.strictObject({
  corpus: texts().describe("Texts: .txt, .md, .jsonl(.gz) files or folders of them"),
  ...corpusFields,
  kind: choice(["bpe", "chars"], "bpe").describe("Byte-level BPE, or characters as tokens"),
  vocabSize: whole({ min: 263, max: 1_000_000, default: 4096 }).describe(
    "BPE: tokens in all, with the 256 bytes and 6 special ones",
  ),
  minFrequency: whole({ min: 1, default: 2 }).describe("BPE: rarer pairs are not merged"),
  byteFallback: flag(false).describe(
    "chars: add the 256 bytes, so that unseen characters can be written",
  ),
  maxBadRecords: whole({ default: 0 }).describe("Malformed records to skip before stopping"),
  seed: whole({ default: 1 }).describe("Not used: training a tokenizer is deterministic"),
});
type TokenizerConfig = z.infer<typeof schema>;

/** Trains a tokenizer and writes tokenizer.json and tokenizer_config.json. */
export const tokenizerStage = defineStage<TokenizerConfig>({
  name: "tokenizer",
  summary: "train a tokenizer (byte-level BPE, or characters)",
  schema,
  examples: [
    "npx stagecraft tokenizer --corpus examples/data/text.txt --vocab-size 512 --run runs/tokenizer",
    "npx stagecraft tokenizer --kind chars --corpus examples/data/text.txt --run runs/chars",
  ],
  inputs: ({ corpus }) => dataInputs({ corpus: corpus.map((text) => corpusSource(text).path) }),
  outputs: () => Promise.resolve({ tokenizer: {} }),
  async work(config, { run, context }) {
    const tokenizer = await train(config, context);
    await saveTokenizer(tokenizer, run.modelDir);
    return { outputs: { tokenizer: run.modelDir }, metrics: { vocabSize: tokenizer.vocabSize } };
  },
});

function train(config: TokenizerConfig, { reporter, signal }: StageContext) {
  const { corpus, kind, maxBadRecords, vocabSize, minFrequency, byteFallback } = config;
  const sources = corpus.map((text) => corpusSource(text, config));
  const onBadRecord = ({ message }: BadRecord) => reporter.warn(message);
  const texts = readTexts(sources, { maxBadRecords, onBadRecord, signal });
  const onProgress = ({ phase, done, total }: TrainProgress) => {
    if (phase === "counting" || total === undefined) return;
    reporter.progress({ stage: "tokenizer", done, total, unit: "tokens" });
  };
  return kind === "bpe"
    ? trainBpe(texts, { vocabSize, minFrequency, onProgress, signal })
    : trainCharTokenizer(texts, { byteFallback, onProgress, signal });
}
