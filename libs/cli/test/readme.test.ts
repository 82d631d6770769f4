import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, runCli } from "./spawn-cli.js";

const readme = await readFile(join(ROOT, "README.md"), "utf8");
const commands = [...readme.matchAll(/```sh\n(.*?)```/gs)]
  .flatMap((block) => block[1]!.split("\n"))
  .map((line) => line.replace(/#.*$/, "").trim())
  .filter(Boolean);

describe("README", () => {
  it("starts with the two commands", () => {
    expect(commands.slice(0, 2)).toEqual(["npm run demo", "npm test"]);
  });

  // Training commands are checked down to their configuration; chat, info and runs run in demo.test.
  const stages = commands.filter((line) => /^npx stagecraft (pipeline|pretrain|sft)/.test(line));
  it("shows how to train", () => expect(stages.length).toBeGreaterThanOrEqual(3));
  for (const line of stages) {
    it(`has a valid \`${line}\``, async () => {
      const args = line.split(/\s+/).slice(2);
      const { code, err } = await runCli([...args, "--dry-run"]);
      expect([code, err]).toEqual([0, ""]);
    });
  }

  it("links to files that exist", async () => {
    const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map((match) => match[1]!);
    const { existsSync } = await import("node:fs");
    expect(links.filter((link) => !existsSync(join(ROOT, link)))).toEqual([]);
  });
});

describe("examples/", () => {
  it("has the JSON schema of pipelines as the stages define it now", async () => {
    const { out } = await runCli(["pipeline", "schema"]);
    const file = await readFile(join(ROOT, "examples", "pipeline.schema.json"), "utf8");
    const advice = "run: npx stagecraft pipeline schema > examples/pipeline.schema.json";
    expect(JSON.parse(file), advice).toEqual(JSON.parse(out));
  });

  it("has a pipeline that says which file is missing", async () => {
    const args = [
      "examples/pipeline.yaml",
      "--set",
      "data=/no/such",
      "--run",
      "/tmp/stagecraft-none",
    ];
    const { code, err } = await runCli(["pipeline", "run", ...args]);
    expect(code).toBe(2);
    expect(err).toContain("/no/such/text.txt");
  });

  it("refuses a variable that the pipeline does not have", async () => {
    const args = ["pipeline", "run", "examples/pipeline.yaml", "--set", "dta=/x"];
    const { code, err } = await runCli(args);
    expect(code).toBe(2);
    expect(err).toContain("(data, seed)");
  });
});
