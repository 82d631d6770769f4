import { readSafetensors } from "@stagecraft/checkpoint";
import { loadModel } from "@stagecraft/model";
import { expect, it } from "vitest";
import { makeBase, openWorkshop, runCli, succeed } from "./case-kit.js";

it("writes the model's own logits, one tensor a sequence", async () => {
  await using workshop = await openWorkshop();
  const dir = await makeBase(workshop.path("base"));
  const ids = await workshop.write("ids.json", "[[1, 2, 3], [200, 7]]");
  const out = workshop.path("logits.safetensors");
  await succeed(["logits", dir, "--ids", ids, "--out", out]);
  const { tensors } = await readSafetensors(out);
  expect([...tensors].map(([name, { shape, dtype }]) => [name, shape, dtype])).toEqual([
    ["logits.0", [3, 262], "F32"],
    ["logits.1", [2, 262], "F32"],
  ]);
  const model = await loadModel(dir);
  const own = model.logits({ ids: Int32Array.of(200, 7), batchSize: 1, length: 2 }).dataSync();
  const written = tensors.get("logits.1")!.data as Float32Array;
  written.forEach((value, i) => expect(value).toBeCloseTo(own[i]!, 5)); // another engine's rounding
});

it("names what is no token id, and where", async () => {
  await using workshop = await openWorkshop();
  const dir = await makeBase(workshop.path("base"));
  const out = workshop.path("logits.safetensors");
  for (const [text, problem] of [
    ["[[1, 2.5]]", "[0][1] is 2.5"],
    ["[1, 2]", "[0] is not a list of ids"],
    ["{", "is not JSON"],
    ["[[900]]", "900"],
  ] as const) {
    const ids = await workshop.write("ids.json", text);
    const { code, err } = await runCli(["logits", dir, "--ids", ids, "--out", out]);
    expect([code, err]).toEqual([1, expect.stringContaining(problem)]);
    expect(err).toContain("[invalid_argument]");
  }
});
