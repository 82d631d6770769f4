import { mkdir, writeFile } from "node:fs/promises";
import { f32, readModelDescription, writeSafetensors } from "@stagecraft/checkpoint";
import { tempDir } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { chatmlFiles, makeBase } from "../../test/cases/case-kit.js";
import { writeModelAs } from "./write-model.js";

/** A base whose chat template is a file, and an adapter of rank 1 with the tokenizer files given. */
async function createRig(files: Readonly<Record<string, string>>) {
  const dir = await tempDir();
  const [base, adapter, out] = [dir.file("base"), dir.file("adapter"), dir.file("out")];
  const tokenizerFiles = { ...(await chatmlFiles()), "chat_template.jinja": "the base's" };
  await makeBase(base, { tokenizerFiles });
  await mkdir(adapter);
  const query = "base_model.model.model.layers.0.self_attn.q_proj";
  const factors = new Map([
    [`${query}.lora_A.weight`, f32([1, 16], new Float32Array(16).fill(1))],
    [`${query}.lora_B.weight`, f32([16, 1], new Float32Array(16).fill(1))],
  ]);
  await writeSafetensors(`${adapter}/adapter_model.safetensors`, factors);
  const config = { peft_type: "LORA", r: 1, lora_alpha: 1, target_modules: ["q_proj"] };
  await writeFile(`${adapter}/adapter_config.json`, JSON.stringify(config));
  for (const [name, text] of Object.entries(files)) await writeFile(`${adapter}/${name}`, text);
  await writeModelAs(base, { out, adapter });
  const written = (await readModelDescription(out)).files;
  return { written, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

describe("writeModelAs()", () => {
  it("leaves the base's chat_template.jinja out where the adapter's tokenizer_config.json has a template", async () => {
    const own = await chatmlFiles();
    await using rig = await createRig(own);
    expect(rig.written["tokenizer_config.json"]).toBe(own["tokenizer_config.json"]);
    expect(Object.keys(rig.written)).not.toContain("chat_template.jinja");
  });

  it("keeps it where the adapter has no template, and takes the adapter's own file", async () => {
    const own = { ...(await chatmlFiles()), "tokenizer_config.json": "{}" };
    await using without = await createRig(own);
    expect(without.written["chat_template.jinja"]).toBe("the base's");
    await using withFile = await createRig({ ...own, "chat_template.jinja": "the adapter's" });
    expect(withFile.written["chat_template.jinja"]).toBe("the adapter's");
  });
});
