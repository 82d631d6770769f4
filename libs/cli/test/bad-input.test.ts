import { cp, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "./spawn-cli.js";
import {
  openWorkshop,
  SOME_TEXT,
  TINY_PRETRAIN,
  trainTinyBase,
  type Workshop,
} from "./tiny-model.js";

let workshop: Workshop;
let model: string;
beforeAll(async () => {
  workshop = await openWorkshop();
  model = await trainTinyBase(workshop);
});
afterAll(() => workshop[Symbol.asyncDispose]());

/** A failure that a person can act on: exit code 1, one `[code] …` message, no stack trace. */
async function expectFailure(args: string[], ...says: string[]): Promise<void> {
  const { code, err } = await runCli(args);
  for (const part of says) expect(err).toContain(part);
  expect(err).toMatch(/^\[[a-z_]+\] /m);
  expect(err).not.toMatch(/^ {4}at /m);
  expect(code).toBe(1);
}

const pretrain = (corpus: string, run: string) => [
  ...["pretrain", "--corpus", corpus, "--run", workshop.path(run), "--steps", "2"],
  ...TINY_PRETRAIN,
];

describe("texts that cannot be learnt from", () => {
  it("names a missing file", () =>
    expectFailure(pretrain("/no/such/text.txt", "missing"), "[not_found]", "/no/such/text.txt"));

  const bad: [what: string, file: string, content: string | Uint8Array][] = [
    ["a binary file", "binary.txt", Uint8Array.from({ length: 4096 }, (_, i) => i % 256)],
    ["Latin-1 text", "latin.txt", Buffer.from("Ein schöner Abend über der Stadt.\n", "latin1")],
    ["UTF-16 text", "utf16.txt", Buffer.from(`\ufeff${SOME_TEXT}`, "utf16le")],
  ];
  for (const [what, file, content] of bad) {
    it(`refuses ${what}, naming the file`, async () => {
      await expectFailure(pretrain(await workshop.write(file, content), `run-${file}`), file);
    });
  }

  for (const [what, content, run] of [
    ["an empty corpus", "", "empty"],
    ["white space only", " \n \n", "blank"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      await expectFailure(pretrain(await workshop.write("empty.txt", content), run), "no text");
    });
  }

  it("names file and line of a malformed record", async () => {
    const good =
      '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n';
    const file = await workshop.write("demos.jsonl", `${good}${good}{"messages": 3}\n`);
    const run = workshop.path("bad-record");
    await expectFailure(["sft", "--model", model, "--data", file, "--run", run], "demos.jsonl:3");
  });
});

describe("models that do not fit", () => {
  const sft = (dir: string, run: string) => [
    ...["sft", "--model", dir, "--run", workshop.path(run), "--data", workshop.path("good.jsonl")],
  ];
  beforeAll(() =>
    workshop.write(
      "good.jsonl",
      '{"messages":[{"role":"user","content":"fox"},{"role":"assistant","content":"fish"}]}\n'.repeat(
        9,
      ),
    ),
  );
  /** A copy of the model with a change. */
  async function spoil(name: string, change: (dir: string) => Promise<void>): Promise<string> {
    const dir = workshop.path(name);
    await cp(model, dir, { recursive: true });
    await change(dir);
    return dir;
  }
  const changeConfig = (dir: string, change: object) => async () => {
    const file = join(dir, "config.json");
    const config = JSON.parse(await readFile(file, "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...config, ...change }));
  };

  it("names a directory without a model", async () => {
    await mkdir(workshop.path("nothing"));
    await expectFailure(["info", workshop.path("nothing")], "[not_found]", "nothing");
  });

  it("refuses the vocabulary of another model", async () => {
    const other = await runCli([
      ...["tokenizer", "--corpus", workshop.path("corpus.txt"), "--vocab-size", "300"],
      ...["--run", workshop.path("other-tokenizer")],
    ]);
    expect(other.code).toBe(0);
    const dir = await spoil("other-vocabulary", (target) =>
      cp(workshop.path("other-tokenizer/model"), target, { recursive: true }),
    );
    await expectFailure(sft(dir, "vocabulary"), "[failed_precondition]", "300 tokens");
  });

  it("refuses weights of another shape, naming both", async () => {
    const dir = await spoil("other-shape", (target) =>
      changeConfig(target, { intermediate_size: 24 })(),
    );
    await expectFailure(sft(dir, "shape"), "24");
  });

  it("refuses another architecture", async () => {
    const dir = await spoil("other-architecture", (target) =>
      changeConfig(target, { model_type: "mamba", architectures: ["MambaForCausalLM"] })(),
    );
    await expectFailure(["info", dir], "[unimplemented]", "amba");
  });

  it("recognises truncated weights", async () => {
    const dir = await spoil("truncated", async (target) => {
      const handle = await open(join(target, "model.safetensors"), "r+");
      await handle.truncate((await handle.stat()).size - 100);
      await handle.close();
    });
    await expectFailure(["info", dir], "[data_loss]", "model.safetensors");
  });
});

describe("run directories", () => {
  it("refuses a directory that holds a run, and says how to go on", () =>
    expectFailure(pretrain(workshop.path("corpus.txt"), "base"), "--resume", "--overwrite"));

  it("refuses to resume with another configuration, naming the field", () =>
    expectFailure(
      [...pretrain(workshop.path("corpus.txt"), "base"), "--resume", "--seed", "2"],
      "seed was 1, now 2",
    ));
});
