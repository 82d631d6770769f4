import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/**
 * A benchmark process that stays up: it prints one line when it is ready, then for every line it
 * reads (how many rounds) one line of JSON with the `seconds` they took.
 */
export class BenchProcess {
  /** @param {string} command @param {string[]} args */
  static async start(command, args) {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    const bench = new BenchProcess(child);
    bench.ready = await bench.nextLine();
    return bench;
  }

  constructor(child) {
    this.child = child;
    this.errors = "";
    child.stderr.on("data", (chunk) => (this.errors += chunk));
    child.on("error", (error) => (this.errors += error.message));
    this.lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async nextLine() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(this.errors.trim().split("\n").at(-1) || "ended without a word");
    return JSON.parse(value);
  }

  /** @param {number} rounds */
  async measure(rounds) {
    this.child.stdin.write(`${rounds}\n`);
    return this.nextLine();
  }

  stop() {
    this.child.stdin.end();
    this.child.kill();
  }
}
