import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

export default mergeConfig(base, {
  test: {
    setupFiles: [new URL("start-engine.ts", import.meta.url).pathname],
    provide: { engine: "tensorflow" },
  },
});
