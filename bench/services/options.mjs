import { parseArgs } from "node:util";

/**
 * The command line's options; with --help prints `help` and ends, as for an option that does not exist.
 * @template {NonNullable<import("node:util").ParseArgsConfig["options"]>} O
 * @param {string} help @param {O} options
 */
export function parseOptions(help, options) {
  const asked = { ...options, help: { type: /** @type {const} */ ("boolean"), short: "h" } };
  try {
    const { values } = parseArgs({ options: asked });
    if (!values.help) return values;
    console.log(help);
    process.exit(0);
  } catch (error) {
    console.error(`${error.message}\n\n${help}`);
    process.exit(2);
  }
}
