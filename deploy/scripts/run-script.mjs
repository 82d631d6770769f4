/**
 * Runs what a script does; what goes wrong is one line of people's words and exit code 1, without a stack.
 * @param {string} name
 * @param {() => Promise<void>} work
 */
export async function runScript(name, work) {
  try {
    await work();
  } catch (error) {
    console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
