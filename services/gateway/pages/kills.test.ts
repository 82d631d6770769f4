import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { postgresBin } from "@stagecraft/testing";
import { describe, expect, it } from "vitest";
import { trialNumber } from "./trial-options.js";

const NUM_KILLS = trialNumber("STAGECRAFT_KILLS", 100);
const SEED = trialNumber("STAGECRAFT_SEED", 17);
const main = fileURLToPath(new URL("../../../libs/faults/dist/main.js", import.meta.url));

/** The row of the fault table, so that `npm run test:pages` shows everything of the people's side. */
describe.skipIf(!(await postgresBin()))("gateway and PostgreSQL killed at random", () => {
  it(
    "lose nothing acknowledged, double nothing; a gateway that acknowledges too early is noticed",
    async () => {
      const numbers = ["--count", String(NUM_KILLS), "--seed", String(SEED)];
      const args = [main, "gateway-kill", "--controls", ...numbers];
      const table = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
      expect(await new Promise((resolve) => table.once("exit", resolve))).toBe(0);
    },
    30 * 60_000,
  );
});
