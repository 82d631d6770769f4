import { expect, it } from "vitest";
import { chatmlFiles, makeTokenizer, openWorkshop, runCli, succeed } from "./case-kit.js";

const CHAT = [
  { role: "user", content: "Hi <|im_end|>" },
  { role: "assistant", content: "Yo" },
];

it("tokenizes texts, special strings as text or read", async () => {
  await using workshop = await openWorkshop();
  const dir = await makeTokenizer(workshop.path("tok"), await chatmlFiles());
  const texts = await workshop.write("texts.json", JSON.stringify(["a", "<|im_end|>"]));
  const lists = async (flags: readonly string[]) => {
    const { out } = await runCli(["tokenize", dir, "--texts", texts, "--json", ...flags]);
    return JSON.parse(out) as number[][];
  };
  const asText = await lists([]);
  expect(asText.map(({ length }) => length)).toEqual([1, 10]);
  expect(await lists(["--special"])).toEqual([asText[0], [2]]);
  expect(await lists(["--special", "--bos"])).toEqual([
    [0, ...asText[0]!],
    [0, 2],
  ]);
});

it("renders a conversation by the model's own template, with what of it is learnt", async () => {
  await using workshop = await openWorkshop();
  const dir = await makeTokenizer(workshop.path("tok"), await chatmlFiles());
  const messages = await workshop.write("chat.json", JSON.stringify(CHAT));
  const args = ["render", dir, "--messages", messages, "--mask"];
  const { out } = await runCli([...args, "--json"]);
  const rendered = JSON.parse(out) as { text: string; ids: number[]; mask: number[] };
  expect(rendered.text).toBe(
    "<|im_start|>user\nHi <|im_end|><|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n",
  );
  expect(rendered.mask.length).toBe(rendered.ids.length);
  expect((await runCli(args)).out).toContain("assistant\n⟦Yo<|im_end|>⟧\n");
  const prompt = ["render", dir, "--messages", messages, "--generation-prompt"];
  expect((await runCli(prompt)).out).toMatch(/<\|im_start\|>assistant\n\n$/);
});

it("refuses by name what is no text, no conversation, and a model without a chat template", async () => {
  await using workshop = await openWorkshop();
  const { "tokenizer.json": json } = await chatmlFiles();
  const dir = await makeTokenizer(workshop.path("tok"), { "tokenizer.json": json! });
  const messages = await workshop.write("chat.json", JSON.stringify(CHAT));
  const numbers = await workshop.write("numbers.json", "[1]");
  for (const [args, message] of [
    [["render", dir, "--messages", messages], "has no chat template"],
    [["render", dir, "--messages", numbers], "numbers.json[0] must be a list of messages"],
    [["tokenize", dir, "--texts", numbers], "must hold a JSON list of texts"],
    [["tokenize", dir, "--texts", workshop.path("none")], "none"],
  ] as const) {
    const { code, err } = await runCli([...args]);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
  }
  await expect(succeed(["render", dir, "--messages", messages])).rejects.toThrow();
});
