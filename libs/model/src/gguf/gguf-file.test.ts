import { expect, it } from "vitest";
import { readGguf, workshop } from "../../test/gguf-files.js";
import { writeGguf } from "./gguf-file.js";

it("writes more strings than a call takes arguments, as the merges of Llama 3 and Gemma are", async () => {
  await using at = await workshop();
  const strings = Array.from({ length: 150_000 }, (_, i) => `${i}`);
  const metadata = new Map([["merges", { strings }]]);
  await writeGguf(at.file, { metadata, tensors: new Map() });
  expect((await readGguf(at.file)).metadata).toEqual({ merges: strings });
});
