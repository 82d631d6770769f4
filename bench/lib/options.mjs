import { parseArgs } from "node:util";

/**
 * The command line's options as `read` makes them of their texts. Prints `help` and ends when asked
 * for it; says what is wrong and ends with 2 for an unknown option, and for whatever `read` throws.
 * @template {NonNullable<import("node:util").ParseArgsConfig["options"]>} O
 * @template T
 * @param {string} help
 * @param {O} options
 * @param {(values: Record<string, any>) => T} read
 * @returns {T}
 */
export function parseOptions(help, options, read) {
  try {
    const { values } = parseArgs({
      options: { ...options, help: { type: "boolean", short: "h" } },
    });
    if (!values.help) return read(values);
  } catch (error) {
    console.error(`${error.message}\n\n${help}`);
    process.exit(2);
  }
  console.log(help);
  process.exit(0);
}

/** @param {string} text @param {string} flag @param {number} min */
export function wholeNumber(text, flag, min) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min) return value;
  throw new Error(`${flag} must be a whole number of at least ${min}, got ${text}`);
}
