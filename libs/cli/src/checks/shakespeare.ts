import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig, schemaOf, UsageError } from "@stagecraft/config";
import type { PretrainConfig } from "@stagecraft/learn";
import type { LearningCheck } from "./learning-check.js";

const CONFIG = fileURLToPath(new URL("../../../../examples/nanogpt-cpu.yaml", import.meta.url));

const NO_DATA =
  "shakespeare needs --data FOLDER with tinyshakespeare.txt, the text of Andrej Karpathy's char-rnn " +
  "(data/tinyshakespeare/input.txt in github.com/karpathy/char-rnn)";

/** nanoGPT's CPU setting on tinyshakespeare; nanoGPT itself reaches 1.88 on the same split. */
export const shakespeareCheck: LearningCheck = {
  name: "shakespeare",
  summary: "nanoGPT's CPU setting on tinyshakespeare reaches a validation loss of 1.90",
  async run({ seed, runDir, dataDir, signal, reporter }) {
    const { pretrainStage } = await import("@stagecraft/learn");
    if (dataDir === undefined) throw new UsageError(NO_DATA);
    const corpus = [join(dataDir, "tinyshakespeare.txt")];
    const flags = { corpus, seed };
    const { config } = await loadConfig(schemaOf(pretrainStage), { file: CONFIG, flags });
    const context = { runDir, resume: false, overwrite: true, signal, reporter };
    const { metrics } = await pretrainStage.run(config as PretrainConfig, context);
    const value = metrics["bestValidationLoss"] ?? NaN;
    return { figures: metrics, bars: [{ name: "validation loss", value, atMost: 1.9 }] };
  },
};
