import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { peakMemoryMb } from "./peak-memory.mjs";

/**
 * A measured program that stays up: it prints one line of JSON when it is ready, then answers every
 * line it reads (how many rounds of its work) with one line of JSON that has the `seconds` they took.
 */
export class BenchProcess {
  /** @param {string} command @param {readonly string[]} args @param {object} [env] added variables */
  static async start(command, args, env = {}) {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    const bench = new BenchProcess(child);
    bench.ready = await bench.nextLine();
    return bench;
  }

  constructor(child) {
    this.child = child;
    this.errors = "";
    child.stderr.on("data", (chunk) => (this.errors = (this.errors + chunk).slice(-4000)));
    child.on("error", (error) => (this.errors += error.message));
    child.stdin.on("error", () => undefined); // told by the end of its output
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** The next line that is JSON; libraries may write others. */
  async nextLine() {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error(this.lastWords());
      if (value.startsWith("{")) return JSON.parse(value);
    }
  }

  /** @param {number} rounds */
  async measure(rounds) {
    this.child.stdin.write(`${rounds}\n`);
    return this.nextLine();
  }

  peakMemoryMb() {
    return peakMemoryMb(this.child.pid);
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdin.end();
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 5000);
    this.child.kill();
    await gone;
    clearTimeout(timer);
  }

  lastWords() {
    const lines = this.errors.trim().split("\n").filter(Boolean);
    const named = lines.findLast((line) => /^\S*(Error|Exception)\b/.test(line));
    return named ?? (lines.slice(-3).join(" | ") || "ended without a word");
  }
}
