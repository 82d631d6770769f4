/** Before every test file: starts the engine that the run is about; `auto` then means this one. */
import { initEngine } from "@stagecraft/tensor";

const plugin = process.env["XLA_PLUGIN"] || undefined;
await initEngine({ engine: "xla", ...(plugin !== undefined && { plugin }) });
