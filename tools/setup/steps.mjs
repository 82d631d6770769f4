import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A step that failed; the message is for a person and needs no stack. */
export class StepError extends Error {}

/**
 * @typedef {object} CommandOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 *
 * @typedef {object} Steps
 * @property {<T>(title: string, work: () => T | Promise<T>) => Promise<T>} run times a step and prints one line
 * @property {(title: string, command: readonly string[], options?: CommandOptions) => Promise<void>} command
 *   a step that is one child process: its output goes to a log file, shown only when it fails
 * @property {(message: string) => void} note
 */

/**
 * Prints what is being done, one line a step with its time; output of commands stays in log files.
 * Steps may run beside each other.
 * @param {{ logDir: string, out?: NodeJS.WriteStream }} options
 * @returns {Steps}
 */
export function createSteps({ logDir, out = process.stderr }) {
  const ticker = createTicker(out);
  /** @type {Steps["run"]} */
  const run = async (title, work) => {
    const startMs = Date.now();
    const stop = ticker.start(title, startMs);
    const end = (/** @type {string} */ mark) => stop(`  ${mark} ${title}  ${seconds(startMs)}\n`);
    try {
      const result = await work();
      end("✔");
      return result;
    } catch (error) {
      end("✘");
      throw error;
    }
  };
  return {
    run,
    command: (title, command, options = {}) =>
      run(title, () => runLogged(command, join(logDir, `${slug(title)}.log`), options)),
    note: (message) => ticker.tell(`  · ${message}\n`),
  };
}

/**
 * Waits for all that runs beside each other, so that nothing goes on behind a failure; then throws the first.
 * @param {...Promise<unknown>} works
 */
export async function together(...works) {
  const outcomes = await Promise.allSettled(works);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
}

/**
 * Runs a command with its output in `logFile`; a failure's message carries the end of that log.
 * @param {readonly string[]} command
 * @param {string} logFile
 * @param {CommandOptions} options
 * @returns {Promise<void>}
 */
export function runLogged([program, ...args], logFile, options) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, "w");
  return new Promise((resolve, reject) => {
    const child = spawn(String(program), args, { ...options, stdio: ["ignore", log, log] });
    closeSync(log); // the child has its own copy
    child.once("error", (error) =>
      reject(new StepError(`cannot run ${program}: ${error.message}`)),
    );
    child.once("exit", (code, signal) => {
      if (code === 0) return resolve();
      const how = signal ? `stopped by ${signal}` : `exit code ${code}`;
      const text = readFileSync(logFile, "utf8").trimEnd();
      const command = [program, ...args].join(" ");
      reject(new StepError(`${command}: ${how}\n\n${text}\n\nLog: ${logFile}`));
    });
  });
}

/**
 * Runs a command on the caller's terminal and resolves with its exit code. On a terminal Ctrl-C
 * reaches the child by itself, so this process only waits; without one the signal is passed on.
 * @param {readonly string[]} command
 * @param {CommandOptions} [options]
 * @returns {Promise<number>}
 */
export function runAttached([program, ...args], options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(String(program), args, { ...options, stdio: "inherit" });
    /** @param {NodeJS.Signals} signal */
    const forward = (signal) => {
      if (signal === "SIGTERM" || !process.stdin.isTTY) child.kill(signal);
    };
    process.on("SIGINT", forward);
    process.on("SIGTERM", forward);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGINT", forward);
      process.off("SIGTERM", forward);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });
}

/**
 * Tells what is being done; of steps that run beside each other a terminal shows the oldest.
 * @param {NodeJS.WriteStream} out
 */
function createTicker(out) {
  /** @type {Map<string, number>} */
  const running = new Map();
  const show = () => {
    const [oldest] = running;
    if (out.isTTY && oldest) out.write(`\r  … ${oldest[0]}  ${seconds(oldest[1])}`);
  };
  const tell = (/** @type {string} */ line) => {
    if (out.isTTY) out.write("\r\x1b[2K");
    out.write(line);
    show();
  };
  return {
    tell,
    /** @param {string} title @param {number} startMs @returns {(line: string) => void} */
    start(title, startMs) {
      running.set(title, startMs);
      show();
      const goesOn = () => out.write(`  … ${title}  ${seconds(startMs)}\n`);
      const timer = out.isTTY ? setInterval(show, 1000) : setInterval(goesOn, 15_000);
      return (line) => {
        clearInterval(timer);
        running.delete(title);
        tell(line);
      };
    },
  };
}

/** @param {number} startMs */
function seconds(startMs) {
  return `${((Date.now() - startMs) / 1000).toFixed(1)}s`;
}

/** @param {string} title */
function slug(title) {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
}
