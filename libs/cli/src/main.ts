import { runCli } from "./app/run-cli.js";
import { processIo } from "./app/io.js";

// Not a library entry: the executable's body, imported by bin/stagecraft.mjs once it is built.
process.exitCode = await runCli(process.argv.slice(2), processIo());
// Worker threads and sockets of a cancelled stage must not keep a finished command alive.
setTimeout(() => process.exit(), 2000).unref();
