import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentReporter } from "@stagecraft/runs";
import { tokenizerFromFiles } from "@stagecraft/tokenizer";
import { expect, it } from "vitest";
import { letterTokenizer } from "../../test/tiny-model.js";
import { readUsablePrompts } from "./usable-prompts.js";

it("names the prompt that a chat template refuses", async () => {
  const dir = await mkdtemp(join(tmpdir(), "stagecraft-usable-"));
  try {
    const file = join(dir, "prompts.jsonl");
    await writeFile(file, '{"id":"a","prompt":"x"}\n');
    const tokenizer = tokenizerFromFiles({
      ...(await letterTokenizer()).files(),
      "tokenizer_config.json": JSON.stringify({ chat_template: "{{ raise_exception('no') }}" }),
    });
    const readers = [{ name: "m", tokenizer, maxPositions: 32 }];
    const context = { reporter: silentReporter(), signal: new AbortController().signal };
    await expect(readUsablePrompts([file], { readers }, context)).rejects.toThrow(
      /prompt "a" \(.*prompts\.jsonl:1\): the chat template refuses/,
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
