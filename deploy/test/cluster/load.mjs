// What running.test.ts runs in a pod that is labelled as a client, as a program's would be: answers and scores, one
// after another, until it is told to end; then it says how many there were, and what failed.
import { readFileSync } from "node:fs";
import { connectPolicy, connectRewardModel } from "@stagecraft/client";

const token = readFileSync("/etc/access/worker", "utf8").trim();
const connection = { allowPlaintext: true, token };
const writer = connectPolicy("policy:50051", connection);
const scorer = connectRewardModel("reward-model:50052", connection);
const question = /** @type {const} */ ({ role: "user", content: "who?" });
const answer = /** @type {const} */ ({ role: "assistant", content: "a cat." });
const seen = { scores: 0, answers: 0, failed: /** @type {string[]} */ ([]) };

/** @param {unknown} error */
const fail = (error) =>
  void seen.failed.push(error instanceof Error ? error.message : String(error));

async function write() {
  const sampling = { temperature: 1, maxNewTokens: 16, seed: seen.answers };
  const answering = writer.generate([question], sampling);
  while (!(await answering.next()).done);
  seen.answers++;
}

let isEnding = false;
process.stdin.on("data", () => (isEnding = true));
console.log("begun");
while (!isEnding) {
  await scorer.score([[question, answer]]).then(() => seen.scores++, fail);
  await write().catch(fail);
}
console.log(JSON.stringify(seen));
process.exit(0);
