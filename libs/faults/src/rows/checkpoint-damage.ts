import { cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { f32, openCheckpoints } from "@stagecraft/checkpoint";
import type { Random } from "@stagecraft/core";
import { tempDir } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";

interface Damage {
  what: string;
  apply(directory: string): Promise<void>;
}

const FILES = ["tensors.safetensors", "state.json", "manifest.json"] as const;
const NUM_VALUES = 4096;

/** Two checkpoints; the newer is damaged, and the older must be what is loaded. */
async function run({ count, random, progress }: FaultContext): Promise<FaultResult> {
  await using directory = await tempDir("stagecraft-damage-");
  const path = directory.path;
  const store = openCheckpoints(path);
  for (const step of [1, 2]) await store.save(step, contentOf(step));
  const newest = join(path, "step-000002");
  const whole = directory.file("whole");
  await cp(newest, whole, { recursive: true });
  const problems: string[] = [];
  const all = [...(await headerDamages(newest)), ...randomDamages(count, random)];
  for (const [i, { what, apply }] of all.entries()) {
    await apply(newest);
    const warnings: string[] = [];
    const loaded = await openCheckpoints(path, { onWarning: (text) => warnings.push(text) })
      .loadLatest()
      .catch((error: unknown) => ({ step: String(error), tensors: new Map(), state: {} }));
    const isOlder = loaded?.step === 1 && sameAs(loaded, 1);
    if (!isOlder) problems.push(`${what}: loaded ${loaded?.step} instead of the checkpoint before`);
    if (isOlder && warnings.length === 0) problems.push(`${what}: passed over without a word`);
    await rm(newest, { recursive: true });
    await cp(whole, newest, { recursive: true });
    progress(i + 1, all.length, what);
  }
  const healthy = await openCheckpoints(path).loadLatest();
  if (healthy?.step !== 2 || !sameAs(healthy, 2)) problems.push("the undamaged one is not loaded");
  return { problems, figures: { damages: all.length, undetected: problems.length } };
}

function contentOf(step: number) {
  const data = Float32Array.from({ length: NUM_VALUES }, (_, i) => step * Math.sin(i));
  return {
    tensors: new Map([["w", f32([NUM_VALUES], data)]]),
    state: { step, ledger: [[`r${step}`]] },
  };
}

function sameAs(
  { tensors, state }: { tensors: ReadonlyMap<string, unknown>; state: object },
  step: number,
) {
  const expected = contentOf(step);
  const values = (from: ReadonlyMap<string, unknown>) =>
    Buffer.from((from.get("w") as { data: Float32Array }).data.buffer as ArrayBuffer);
  return (
    JSON.stringify(state) === JSON.stringify(expected.state) &&
    values(tensors)
      .subarray(-NUM_VALUES * 4)
      .equals(values(expected.tensors))
  );
}

/** Every byte of the tensors' header, of the state and of the manifest, one bit each. */
async function headerDamages(directory: string): Promise<Damage[]> {
  const damages: Damage[] = [];
  for (const name of FILES) {
    const bytes = await readFile(join(directory, name));
    const length = name === FILES[0] ? 8 + Number(bytes.readBigUInt64LE(0)) : bytes.length;
    for (let at = 0; at < length; at++) damages.push(flip(name, at, at % 8));
  }
  return damages;
}

function randomDamages(count: number, random: Random): Damage[] {
  const body = Array.from({ length: count }, () =>
    flip(FILES[0], 200 + random.nextInt(NUM_VALUES * 4 - 200), random.nextInt(8)),
  );
  const cuts = Array.from({ length: Math.ceil(count / 10) }, () =>
    cut(random.pick(FILES), random.nextFloat()),
  );
  const missing = FILES.map((name) => ({
    what: `${name} is missing`,
    apply: (directory: string) => rm(join(directory, name)),
  }));
  return [...body, ...cuts, ...missing];
}

function flip(name: string, at: number, bit: number): Damage {
  return {
    what: `${name}: bit ${bit} of byte ${at}`,
    async apply(directory) {
      const file = join(directory, name);
      const bytes = await readFile(file);
      bytes[at]! ^= 1 << bit;
      await writeFile(file, bytes);
    },
  };
}

function cut(name: string, share: number): Damage {
  return {
    what: `${name} cut to ${Math.round(100 * share)} %`,
    async apply(directory) {
      const file = join(directory, name);
      const { length } = await readFile(file);
      await truncate(file, Math.floor(share * length));
    },
  };
}

/** See `doc`. */
export const checkpointDamage: FaultRow = {
  name: "checkpoint-damage",
  doc: "every byte of a checkpoint's headers, random bits of its body, truncations: all are noticed and the one before is loaded",
  counts: { full: 1000, short: 100 },
  run,
  controls: [
    {
      name: "sha256 is not compared",
      where: "harness",
      file: "libs/checkpoint/dist/manifest.js",
      find: "!== record.sha256",
      replace: "=== 'never'",
      count: 20,
      expect: /loaded 2 instead/,
    },
  ],
};
