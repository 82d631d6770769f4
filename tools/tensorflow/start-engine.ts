/** Before every test file: starts the engine that the run is about; `auto` then means this one. */
import { initEngine } from "@stagecraft/tensor";

await initEngine({ engine: "tensorflow" });
