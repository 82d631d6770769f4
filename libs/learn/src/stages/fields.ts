import { z } from "zod";

/** How the texts of a corpus are read. */
export const corpusFields = {
  textField: z.string().default("text").describe("In .jsonl: the field that holds the text"),
  separator: z
    .string()
    .default("")
    .describe(
      "In .txt and .md: what stands between documents, such as \\n\\n; empty = a file is one document",
    ),
};

/** What becomes of a record with more tokens than a sequence holds; each stage says what a cut takes. */
export const overlongField = z.enum(["cut", "drop", "error"]).default("cut");
