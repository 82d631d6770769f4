import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { UsageError } from "@stagecraft/config";
import { addConfigFlags, readConfig } from "./config-flags.js";

const schema = z.strictObject({
  learningRate: z.number().min(0).max(1).default(0.001).describe("Peak rate"),
  data: z.array(z.string()).default([]).describe("Files"),
  split: z.enum(["documents", "tail"]).default("documents").describe("What is held out"),
  steps: z.int().min(1).describe("Optimizer steps"),
  pack: z.boolean().default(true).describe("Several in one sequence"),
  bias: z.boolean().default(false).describe("Biases"),
});

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "stagecraft-flags-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function read(...argv: string[]): Promise<unknown> {
  const command = new Command("test");
  addConfigFlags(command, schema);
  command.action(() => undefined);
  await command.parseAsync(argv, { from: "user" });
  return readConfig(schema, command);
}

describe("readConfig()", () => {
  it("reads every kind of flag", async () => {
    const flags = "--learning-rate 3e-4 --data a.txt b.txt --split tail --steps 7 --no-pack --bias";
    expect(await read(...flags.split(" "))).toEqual({
      learningRate: 3e-4,
      data: ["a.txt", "b.txt"],
      split: "tail",
      steps: 7,
      pack: false,
      bias: true,
    });
  });

  it("lets flags win over the file and the file over defaults", async () => {
    const file = join(dir, "config.yaml");
    await writeFile(file, "steps: 5\nlearningRate: 0.5\npack: false\n");
    const config = await read("--config", file, "--steps", "9");
    expect(config).toMatchObject({ steps: 9, learningRate: 0.5, pack: false, split: "documents" });
  });

  it("names every problem with the flag or the line it came from", async () => {
    const file = join(dir, "config.yaml");
    await writeFile(file, "learningRate: 7\nstepz: 3\n");
    const failing = read("--config", file, "--steps", "many");
    await expect(failing).rejects.toThrow(UsageError);
    for (const part of [
      "--steps: steps is",
      "config.yaml:1: learningRate is 7",
      "config.yaml:2",
      "did you mean steps",
    ]) {
      await expect(read("--config", file, "--steps", "many")).rejects.toThrow(part);
    }
  });

  it("turns a missing file into a usage error", async () => {
    await expect(read("--config", join(dir, "no.yaml"))).rejects.toThrow(UsageError);
  });
});

describe("addConfigFlags()", () => {
  it("explains defaults, limits and choices", () => {
    const command = new Command("test");
    addConfigFlags(command, schema);
    const help = command.helpInformation().replace(/\s+/g, " ");
    expect(help).toContain("Peak rate [0 to 1; default 0.001]");
    expect(help).toContain('What is held out ["documents" | "tail"'.replaceAll('"', ""));
    expect(help).toContain("Optimizer steps [≥ 1; required]");
    expect(help).toContain("--no-pack");
  });
});
