import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { atomicWriteFile } from "@stagecraft/checkpoint";
import { StagecraftError } from "@stagecraft/core";
import type { StageReporter } from "@stagecraft/runs";
import { demoPipeline, type DemoOptions } from "./presets.js";

/** `demo-recipe.json`: which demo a directory holds. */
interface DemoRecipe {
  preset: string;
  seed: number;
  /** What computes it, where that was asked for. */
  engine?: string | undefined;
  plugin?: string | undefined;
  /** Hash of every stage's configuration. */
  fingerprint: string;
  /** Its deletion has begun: what is there counts for nothing, and goes. */
  clearing?: true;
}

const RECIPE_FILE = "demo-recipe.json";

/** Raised when another version of the demo computes something else under the same configuration. */
const RECIPE_VERSION = 1;

/**
 * Makes the directory ready for this demo: an empty one gets its recipe, one that holds the same demo
 * is left to go on. Only `fresh` deletes what is there, and says what. Throws failed_precondition for a
 * demo of another preset, seed or version, and, `fresh` or not, for a directory that is no demo's.
 */
export async function prepareDemoDirectory(
  options: DemoOptions & { fresh: boolean },
  reporter: StageReporter,
): Promise<void> {
  const { out, fresh } = options;
  const wanted = recipeOf(options);
  const names = (await readdir(out)).filter((name) => !name.startsWith("run.lock")).sort();
  const found = await readRecipe(out);
  if (names.length > 0 && !found && !isOldDemo(out)) throw foreignDirectory(out, names);
  const same = found?.fingerprint === wanted.fingerprint && found.clearing === undefined;
  if (same && !fresh) {
    reporter.info(`${out} holds this demo: it goes on where it was (--fresh would start over)`);
    return;
  }
  if (names.length > 0) {
    if (!fresh && found?.clearing === undefined) throw otherDemo(options, found);
    reporter.warn(`--fresh: deleting all of ${out}: ${names.join(", ")}`);
    await writeRecipe(out, { ...wanted, clearing: true });
    const all = names.filter((name) => name !== RECIPE_FILE);
    for (const name of all) await rm(join(out, name), { recursive: true, force: true });
  }
  await writeRecipe(out, wanted);
}

function recipeOf(options: DemoOptions): DemoRecipe {
  const { preset, seed, engine, plugin } = options;
  const { stages } = demoPipeline(options);
  const hash = createHash("sha256").update(JSON.stringify([RECIPE_VERSION, stages]));
  return { preset, seed, engine, plugin, fingerprint: hash.digest("hex") };
}

async function readRecipe(out: string): Promise<DemoRecipe | undefined> {
  const file = join(out, RECIPE_FILE);
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(await readFile(file, "utf8")) as DemoRecipe;
  } catch (cause) {
    const reason = `${file} is not valid JSON; start over with --fresh, which deletes all of ${out}`;
    throw new StagecraftError("data_loss", reason, { cause });
  }
}

function writeRecipe(out: string, recipe: DemoRecipe): Promise<void> {
  return atomicWriteFile(join(out, RECIPE_FILE), `${JSON.stringify(recipe, null, 2)}\n`);
}

/** Demos had no recipe once; a pipeline with a world of ours was one. */
function isOldDemo(out: string): boolean {
  return existsSync(join(out, "pipeline.json")) && existsSync(join(out, "world", "run.json"));
}

function foreignDirectory(out: string, names: readonly string[]): StagecraftError {
  const shown = names.slice(0, 3).join(", ");
  const reason = `${out} holds other things than a demo (${shown}); choose another directory with --out`;
  return new StagecraftError("failed_precondition", reason);
}

function otherDemo(options: DemoOptions, found: DemoRecipe | undefined): StagecraftError {
  const { out } = options;
  const holds =
    found && flagsOf(found) !== flagsOf(options)
      ? `a demo with ${flagsOf(found)}, not ${flagsOf(options)}`
      : "a demo that an older version of Stagecraft made";
  const advice = "keep it and choose another directory with --out, or start over with --fresh";
  return new StagecraftError(
    "failed_precondition",
    `${out} holds ${holds}; ${advice}, which deletes all of ${out}`,
  );
}

function flagsOf({ preset, seed, engine, plugin }: Omit<DemoRecipe, "fingerprint">): string {
  return Object.entries({ preset, seed, engine, plugin })
    .flatMap(([name, value]) => (value === undefined ? [] : `--${name} ${value}`))
    .join(" ");
}
