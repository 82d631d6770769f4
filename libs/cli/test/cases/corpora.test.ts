import { expect, it } from "vitest";
import { openWorkshop, succeed, writeRecords } from "./case-kit.js";

const TINY = [
  ...["--tokenizer-kind", "chars", "--num-layers", "1", "--num-heads", "1", "--hidden-size", "8"],
  ...["--context-length", "16", "--batch-size", "2", "--steps", "2", "--threads", "1"],
];

it("CRLF text is split at empty lines into its documents, and their number is said", async () => {
  await using workshop = await openWorkshop();
  const text = Array.from({ length: 200 }, (_, i) => `Paragraph ${i}.`).join("\r\n\r\n");
  const corpus = await workshop.write("crlf.txt", text);
  const { err } = await succeed([
    ...["pretrain", "--corpus", corpus, "--separator", "\\n\\n", ...TINY],
    ...["--run", workshop.path("base")],
  ]);
  expect(err).toContain("corpus: 200 documents");
  expect(err).not.toMatch(/tokenize {2}\d+ characters/);
});

it("the text field of a corpus can be set, for pretrain and tokenizer", async () => {
  await using workshop = await openWorkshop();
  const records = Array.from({ length: 100 }, (_, i) => ({
    body: `Document ${i}.`,
    text: "wrong",
  }));
  const corpus = await writeRecords(workshop, "bodies.jsonl", records);
  const flags = ["--corpus", corpus, "--text-field", "body"];
  const { err } = await succeed(["pretrain", ...flags, ...TINY, "--run", workshop.path("base")]);
  expect(err).toContain("corpus: 100 documents, 1,190 characters");
  const tokenizer = ["tokenizer", ...flags, "--kind", "chars", "--run", workshop.path("chars")];
  const { out } = await succeed(tokenizer);
  const letters = new Set(records.map(({ body }) => body).join("")).size;
  expect(out).toMatch(new RegExp(`vocabSize +${letters + 6}`));
});
