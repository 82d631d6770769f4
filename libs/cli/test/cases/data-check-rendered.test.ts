import { expect, it } from "vitest";
import { example, makeBase, openWorkshop, runCli, succeed, writeRecords } from "./case-kit.js";

it("data check shows records as a model reads them, with what is learnt", async () => {
  await using workshop = await openWorkshop();
  const model = await makeBase(workshop.path("base"));
  const data = await writeRecords(workshop, "a.jsonl", [example("Hi", "Yo")]);
  const shown = await succeed(["data", "check", data, "--model", model]);
  expect(shown.out).toContain("<|user|>Hi<|end|><|assistant|>⟦Yo<|end|>⟧");
  const template = "{% for m in messages %}({{ m.content }}){% endfor %}";
  const file = await workshop.write("own.jinja", template);
  const how = ["--model", model, "--chat-template", file, "--kind", "prompts", "--json"];
  const prompts = await writeRecords(workshop, "b.jsonl", [{ prompt: "Hi" }]);
  const { out } = await succeed(["data", "check", prompts, ...how]);
  expect(JSON.parse(out)).toMatchObject({ rendered: [{ text: "(Hi)", numTokens: 4 }] });
  const alone = await runCli(["data", "check", data, "--chat-template", "chatml"]);
  expect([alone.code, alone.err]).toEqual([2, expect.stringContaining("needs the --model")]);
});
