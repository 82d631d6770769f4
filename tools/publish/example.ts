// Scores an answer from a program of one's own: `node example.js HOST:PORT`.
import { connectRewardModel } from "@stagecraft/client";

await using rewardModel = connectRewardModel(process.argv[2] ?? "127.0.0.1:50052");
const [score] = await rewardModel.score([
  [
    { role: "user", content: "what is honey" },
    { role: "assistant", content: "nectar" },
  ],
]);
console.log(score?.value);
