// People at the pages' HTTP API, sending as fast as told whatever comes back (open loop):
//   rankings.mjs pglite|postgres PEOPLE RANKINGS_A_MINUTE SECONDS
// The gateway is a process of its own, as users start it. A ranking is what the Rank page asks for: the
// next comparison, then its submission. Prints one line: rankings that were stored, latencies in ms.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { postgresBin, signInByLink, startPostgres, tempDir } from "@stagecraft/testing";
import { startGateway } from "./people-gateway.mjs";

const [kind, ...numbers] = process.argv.slice(2);
const [numPeople, perMinute, seconds] = numbers.map(Number);
const dir = await tempDir();
const bin = await postgresBin();
if (kind === "postgres" && !bin) throw new Error("no PostgreSQL: apt-get install postgresql");
const postgres = kind === "postgres" ? await startPostgres(bin) : undefined;
const numRankings = Math.ceil((perMinute / 60) * seconds);
const gateway = await startGateway({ dir: dir.path, databaseUrl: postgres?.url ?? "" });
await gateway.addComparisons(Math.ceil(numRankings / numPeople) * 2 + numPeople);
const people = await Promise.all(
  Array.from({ length: numPeople }, async (_, i) =>
    signInByLink(await gateway.invite(`rater ${i}`, "rater")),
  ),
);

const latencies = { next: [], submit: [] };
const failures = [];

async function timed(name, person, path, body) {
  const startMs = performance.now();
  const answer = await person.ok("POST", path, body);
  latencies[name].push(performance.now() - startMs);
  return answer;
}

async function rankOne(person) {
  const { assignment } = await timed("next", person, "/api/rank/next");
  const ranks = assignment.answers.map((_, i) => i + 1);
  const body = { submissionId: randomUUID(), ranks, criteria: {}, elapsedMs: 1000 };
  await timed("submit", person, `/api/rank/assignments/${assignment.assignmentId}/submit`, body);
}

for (const person of people) await rankOne(person); // connections are open, code is warm
for (const list of Object.values(latencies)) list.length = 0;

const startMs = performance.now();
// Each person does one thing after another, as people do; a slow server makes those behind it late.
const queues = people.map(() => Promise.resolve());
for (let i = 0; i < numRankings; i++) {
  const dueMs = startMs + (i * 60_000) / perMinute;
  await delay(Math.max(0, dueMs - performance.now()));
  const at = i % people.length;
  queues[at] = queues[at].then(() => rankOne(people[at])).catch((error) => failures.push(error));
}
await Promise.all(queues);
const minutes = (performance.now() - startMs) / 60_000;
if (failures.length > 0) throw new Error(`${failures.length} failed: ${failures[0].message}`);

const quantile = (values, q) => values.sort((a, b) => a - b)[Math.ceil(q * values.length) - 1];
const all = [...latencies.next, ...latencies.submit];
console.log(
  JSON.stringify({
    ...{ perMinute: latencies.submit.length / minutes, p50: quantile(all, 0.5) },
    ...{ p99: quantile(all, 0.99), most: quantile(all, 1) },
    ...{ nextP99: quantile(latencies.next, 0.99), submitP99: quantile(latencies.submit, 0.99) },
    stored: (await gateway.numRankings()) - numPeople,
  }),
);
await gateway[Symbol.asyncDispose]();
await postgres?.[Symbol.asyncDispose]();
await dir[Symbol.asyncDispose]();
process.exit(0);
