import { readFile, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { example, makeBase, openWorkshop, runCli, succeed, writeRecords } from "./case-kit.js";

const CONFIG = { do_sample: false, max_new_tokens: 3, num_beams: 4 };

it("a model's generation_config.json decides where nothing is said, and goes on with what is trained", async () => {
  await using workshop = await openWorkshop();
  const base = await makeBase(workshop.path("base"));
  await writeFile(`${base}/generation_config.json`, JSON.stringify(CONFIG));
  const ask = async (...flags: string[]) => {
    const chat = await runCli(["chat", base, "--prompt", "Hi", "--json", ...flags]);
    expect([chat.code, chat.err]).toEqual([
      0,
      "generation_config.json: num_beams 4 is not supported and left out\n",
    ]);
    return (JSON.parse(chat.out) as { answer: string }).answer;
  };
  const own = await ask("--seed", "1");
  expect(await ask("--seed", "2")).toBe(own); // the likeliest tokens, whatever the seed
  expect(await ask("--temperature", "0", "--max-new-tokens", "3")).toBe(own);
  const longer = await ask("--max-new-tokens", "30");
  expect(longer.startsWith(own.slice(0, 1))).toBe(true);
  expect(longer.length).toBeGreaterThan(own.length);

  const data = await writeRecords(workshop, "data.jsonl", [example("Hi", "Yes.")]);
  const pace = ["--epochs", "1", "--validation-fraction", "0"];
  await succeed(["sft", "--model", base, "--data", data, ...pace, "--run", workshop.path("sft")]);
  const kept = await readFile(workshop.path("sft/model/generation_config.json"), "utf8");
  expect(JSON.parse(kept)).toMatchObject(CONFIG);
  const info = await succeed(["info", workshop.path("sft/model"), "--json"]);
  expect(JSON.parse(info.out)).toMatchObject({
    generation: { sampling: { temperature: 0, maxNewTokens: 3 }, unsupported: ["num_beams 4"] },
  });
});
