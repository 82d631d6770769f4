import { choice, decimal, text, texts, whole } from "@stagecraft/fields";
import { z } from "zod";

/** How the texts of a corpus are read. */
export const corpusFields = {
  textField: z.string().default("text").describe("In .jsonl: the field that holds the text"),
  separator: text("").describe(
    "In .txt and .md: what stands between documents, such as \\n\\n; empty = a file is one document",
  ),
};

/** What becomes of a record with more tokens than a sequence holds; each stage says what a cut takes. */
export const overlongField = z.enum(["cut", "drop", "error"]).default("cut");

/** Records to measure with: files of them, or a share of `data`. */
export const heldOutFields = (records: string, share: number) => ({
  validationData: texts([]).describe(`Held-out ${records}; empty = a share of data`),
  validationFraction: decimal({ max: 0.5, default: share }).describe(
    "Share of data held out when validationData is empty",
  ),
});

/** Devices of a stage whose batches are split by rows. */
export const devicesField = whole({ max: 1024, default: 1 }).describe(
  "Devices of the engine xla that a micro-batch is split over, 0 = all of this machine; weights and optimizer " +
    "are on each, held-out batches run on the first",
);

/** How rankings become batches, for the stages that learn from them. */
export const rankingBatchFields = (batchSize: number) => ({
  contextLength: whole({ default: 0 }).describe(
    "Longest sequence, prompt and answer; 0 = the model's positions",
  ),
  overlong: overlongField.describe(
    "Rankings with longer answers: cut (they lose their beginning), drop, or stop with an error",
  ),
  batchSize: whole({ min: 1, default: batchSize }).describe(
    "Prompts per micro-batch, all answers of each",
  ),
  epochs: decimal({ above: 0, max: 1000, default: 1 }).describe("Passes over the rankings"),
});

/** Which weights a stage gives; `lowest` is what the best ones have. */
export const selectModelField = (lowest: string) =>
  choice(["best", "last"], "best").describe(
    `Which weights become the result: lowest ${lowest}, or the last`,
  );
