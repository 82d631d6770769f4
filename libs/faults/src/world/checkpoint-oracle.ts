import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** A checkpoint as somebody reads it who does not trust the product's own loader. */
export interface SeenCheckpoint {
  step: number;
  epoch: number;
  /** Rollout ids that the last update learnt from. */
  lastIds: string[];
  /** sha256 of the tensors' file. */
  tensors: string;
}

/** Reads one checkpoint directory; a reason when anything of it is not whole, undefined when it is gone. */
export async function readCheckpoint(
  directory: string,
): Promise<SeenCheckpoint | { torn: string } | undefined> {
  try {
    const manifest = JSON.parse(await readFile(join(directory, "manifest.json"), "utf8")) as {
      files: Record<string, { sha256: string; sizeBytes: number }>;
      meta: { step: number; epoch?: number };
    };
    let state = "";
    let tensors = "";
    for (const [name, expected] of Object.entries(manifest.files)) {
      const bytes = await readFile(join(directory, name));
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      if (bytes.length !== expected.sizeBytes || sha256 !== expected.sha256) {
        return { torn: `${directory}/${name} is not what its manifest says` };
      }
      if (name === "state.json") state = bytes.toString();
      else tensors = sha256;
    }
    const { ledger } = JSON.parse(state) as { ledger: string[][] };
    const { step, epoch = 0 } = manifest.meta;
    return { step, epoch, lastIds: ledger.at(-1) ?? [], tensors };
  } catch (thrown) {
    const stillThere = (await readdir(directory).catch(() => [])).length > 0;
    return stillThere ? { torn: `${directory}: ${String(thrown)}` } : undefined;
  }
}

/**
 * Watches a PPO run from its files alone: every checkpoint ever seen whole, steps that only grow, and
 * each update learnt from exactly the rollouts of its own tasks, each once.
 */
export class CheckpointOracle {
  readonly problems = new Set<string>();
  private readonly stepOf = new Map<string, number>();
  private readonly seen = new Map<number, SeenCheckpoint>();
  private latest = 0;
  private highest = 0;

  constructor(
    private readonly runDir: string,
    private readonly batchSize: number,
  ) {}

  latestStep(): number {
    return this.latest;
  }

  numRollouts(): number {
    return this.stepOf.size;
  }

  /** Cheap: the pointer alone, which must never be behind what an earlier reading found. */
  async pointer(): Promise<number> {
    const { highest } = this;
    const text = await readFile(join(this.runDir, "checkpoints", "LATEST"), "utf8").catch(() => "");
    const step = Number(/step-(\d+)/.exec(text)?.[1] ?? 0);
    if (step < highest) this.note(`LATEST went back from ${highest} to ${step}`);
    this.highest = Math.max(this.highest, step);
    return step;
  }

  /** Reads every checkpoint not seen before. */
  async look(): Promise<void> {
    const folder = join(this.runDir, "checkpoints");
    const latest = await this.pointer();
    const names = (await readdir(folder).catch(() => [])).filter((n) => /^step-\d+$/.test(n));
    for (const name of names.sort()) {
      const step = Number(name.slice(5));
      if (this.seen.has(step) && step < latest) continue;
      const checkpoint = await readCheckpoint(join(folder, name));
      if (!checkpoint) continue;
      if ("torn" in checkpoint) this.note(checkpoint.torn);
      // Beyond the pointer nothing is committed yet.
      else if (step <= latest) this.admit(checkpoint);
    }
    this.latest = Math.max(this.latest, latest);
  }

  /** What must hold at the end: no step is missing, every update's figures stand once in metrics.jsonl. */
  async finish(): Promise<void> {
    await this.look();
    for (let step = 1; step <= this.latest; step++) {
      if (!this.seen.has(step)) this.note(`nobody saw the checkpoint of step ${step}`);
    }
    const lines = (await readFile(join(this.runDir, "metrics.jsonl"), "utf8")).split("\n");
    const counts = new Map<number, number>();
    for (const line of lines.slice(0, -1)) {
      const { kind, step } = JSON.parse(line) as { kind: string; step: number };
      if (kind === "update") counts.set(step, (counts.get(step) ?? 0) + 1);
    }
    for (let step = 1; step <= this.latest; step++) {
      const count = counts.get(step) ?? 0;
      if (count !== 1) this.note(`update ${step} stands ${count} times in metrics.jsonl`);
    }
  }

  private admit(checkpoint: SeenCheckpoint): void {
    const { step, lastIds, epoch } = checkpoint;
    const before = this.seen.get(step);
    if (before && before.tensors !== checkpoint.tensors) {
      this.note(`step ${step} was committed twice with different weights`);
    }
    const previous = this.seen.get(step - 1);
    if (previous && previous.epoch > epoch) {
      this.note(`step ${step} is of lease ${epoch}, the one before of ${previous.epoch}`);
    }
    this.seen.set(step, checkpoint);
    for (const id of lastIds) {
      const earlier = this.stepOf.get(id);
      if (earlier !== undefined && earlier !== step) {
        this.note(`rollout ${id} was learnt from twice, in updates ${earlier} and ${step}`);
      }
      this.stepOf.set(id, step);
    }
    const expected = Array.from(
      { length: this.batchSize },
      (_, i) => `u${String(step - 1).padStart(6, "0")}-${String(i).padStart(6, "0")}/rollout`,
    );
    const lost = expected.filter((id) => !lastIds.includes(id));
    if (lost.length > 0) this.note(`update ${step} did not learn from ${lost.join(", ")}`);
    if (lastIds.length !== this.batchSize) {
      this.note(
        `update ${step} learnt from ${lastIds.length} rollouts instead of ${this.batchSize}`,
      );
    }
  }

  private note(problem: string): void {
    this.problems.add(problem);
  }
}
