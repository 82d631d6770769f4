// A gateway's process with comparisons to rank, for the benchmarks of the people's side.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { common, feedback } from "@stagecraft/contracts";
import { createRpcClient } from "@stagecraft/rpc";
import { signInByLink, startProcess, waitFor } from "@stagecraft/testing";

const main = fileURLToPath(new URL("../../services/gateway/dist/main.js", import.meta.url));
const ANSWER = "An answer as long as people write them, with a few sentences that say something. ";
const CHUNK = 200;

/** @param {{ dir: string, databaseUrl?: string }} options */
export async function startGateway({ dir, databaseUrl = "" }) {
  const flags = ["--feedback-dir", join(dir, "feedback"), "--port", "0", "--http-port", "0"];
  const overlap = ["--raters-per-comparison", "100"];
  const url = databaseUrl ? ["--database-url", databaseUrl] : [];
  const gateway = await startProcess(process.execPath, [main, ...flags, ...overlap, ...url]);
  const portOf = () => /"port":(\d+)[^\n]*"serving"/.exec(gateway.output())?.[1];
  await waitFor(portOf, { what: "the gateway to serve", timeoutMs: 60_000 });
  const client = createRpcClient(feedback.FeedbackServiceClient, `127.0.0.1:${portOf()}`);
  const operator = await signInByLink(/"link":"([^"]+)"/.exec(gateway.output())[1]);
  await operator.ok("PATCH", "/api/operator/settings", { goldShare: 0 });
  return {
    origin: operator.origin,
    /** @param {number} number */
    async addComparisons(number) {
      for (let i = 0; i < number; i += CHUNK) {
        const ids = Array.from({ length: Math.min(CHUNK, number - i) }, (_, j) => `c${i + j}`);
        await client.addComparisons({ comparisons: ids.map(comparisonOf) });
      }
    },
    /** The link that signs a new person in. @param {string} name @param {string} role */
    async invite(name, role) {
      const person = { name, roles: [role] };
      return (await operator.ok("POST", "/api/people/invite", person)).link;
    },
    async numRankings() {
      return (await operator.ok("GET", "/api/operator/overview")).rankings;
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await gateway.kill("SIGKILL");
    },
  };
}

/** @param {string} comparisonId */
function comparisonOf(comparisonId) {
  const prompt = { messages: [{ role: common.Role.USER, content: `Question ${comparisonId}?` }] };
  const answers = Array.from({ length: 6 }, (_, i) => `${i}: ${ANSWER.repeat(3)}`);
  return { comparisonId, prompt, answers, kind: "", modelVersion: "m@1", batch: "" };
}
