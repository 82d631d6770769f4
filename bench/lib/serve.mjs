import { createInterface } from "node:readline";

/**
 * The measured side of `BenchProcess`: warms up, says that it is ready, then runs `work` as often as
 * each line says and answers with the time. What the last `work` returns is added to the answer.
 * @param {() => unknown} work one round
 * @param {{ warmups?: number, facts?: object }} [options]
 */
export async function serveRounds(work, { warmups = 3, facts = {} } = {}) {
  for (let i = 0; i < warmups; i++) await work();
  console.log(JSON.stringify(facts));
  for await (const line of createInterface({ input: process.stdin })) {
    const start = performance.now();
    const cpu = process.cpuUsage();
    let result;
    for (let i = 0; i < Number(line); i++) result = await work();
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, ...result }));
  }
  process.exit(0);
}
