import { setTimeout as delay } from "node:timers/promises";
import type { feedback } from "@stagecraft/contracts";
import { postgresBin, startPostgres, tempDir, type PostgresServer } from "@stagecraft/testing";
import type { FaultContext, FaultResult, FaultRow } from "../fault-row.js";
import { rankedAs, startPeople, type People } from "../world/people.js";
import { startAgain, startPeopleGateway, type PeopleGateway } from "../world/people-gateway.js";

/** More than anybody ranks in a run. */
const NUM_COMPARISONS = 4000;
const MAX_WAIT_MS = 400;
const RATERS = ["Ada", "Ben", "Cleo"];

const bin = await postgresBin();

/** First the gateway on its embedded database is killed, then, in turns, gateway and PostgreSQL. */
async function run(context: FaultContext): Promise<FaultResult> {
  const { count } = context;
  const numEmbedded = Math.ceil(count / 3);
  const embedded = await strike(context, { from: 0, to: numEmbedded });
  await using postgres = await startPostgres(bin!);
  const served = await strike(context, { from: numEmbedded, to: count, postgres });
  const sum = (name: string) => Number(embedded.figures[name]) + Number(served.figures[name]);
  const names = ["acknowledged", "sent again", "lost", "doubled"];
  return {
    problems: [...embedded.problems, ...served.problems],
    figures: {
      ...{ "on PGlite": numEmbedded, "on PostgreSQL": count - numEmbedded },
      ...Object.fromEntries(names.map((name) => [name, sum(name)])),
    },
  };
}

interface Strikes {
  from: number;
  to: number;
  postgres?: PostgresServer;
}

async function strike(
  { count, random, mutations, patienceMs, progress }: FaultContext,
  { from, to, postgres }: Strikes,
): Promise<FaultResult> {
  await using dir = await tempDir("stagecraft-people-");
  const databaseUrl = postgres?.url ?? "";
  await using gateway = await startPeopleGateway({ dir: dir.path, databaseUrl, mutations });
  await gateway.addComparisons(NUM_COMPARISONS);
  const raters = await Promise.all(RATERS.map((name) => gateway.invite(name, "rater")));
  const writer = await gateway.invite("Dan", "writer");
  const whose = random.fork(databaseUrl ? "server" : "embedded");
  await using people = startPeople({ raters, writer }, whose);
  const ownEnds: string[] = [];
  for (let i = from; i < to; i++) {
    await people.answered(1, patienceMs);
    await delay(random.nextFloat() * MAX_WAIT_MS);
    if (postgres && i % 2 === 0) {
      await postgres.kill();
      await startAgain(postgres);
    }
    const words = gateway.lastWords();
    if (words !== undefined) ownEnds.push(`the gateway ended by itself: ${words}`);
    if (!postgres || i % 2 !== 0 || words !== undefined) await gateway.restart();
    progress(i + 1, count, `${people.acknowledged.size} acknowledged`);
  }
  await people.stop();
  const problems = [
    ...ownEnds,
    ...people.problems,
    ...problemsOf(await gateway.feedback(), people),
  ];
  for (const rater of raters) {
    const told = people.rankingsOf(rater);
    const { mine } = await rater.ok<{ mine: { total: number } }>("GET", "/api/rank/progress");
    if (mine.total !== told) problems.push(`half a thing: ${mine.total} assignments of ${told}`);
  }
  const { drafts } = await writer.ok<{ drafts: unknown[] }>("GET", "/api/write/drafts");
  if (drafts.length > 0) problems.push(`half a thing: ${drafts.length} drafts are still open`);
  problems.push(...(await placesProblems(gateway, people)));
  const number = (kind: RegExp) => problems.filter((problem) => kind.test(problem)).length;
  const figures = {
    ...{ acknowledged: people.acknowledged.size, "sent again": people.numRepeats() },
    ...{ lost: number(/^lost: /), doubled: number(/^(doubled|ranked twice)/) },
  };
  return { problems, figures };
}

/** What is stored is what people were told is stored, each once and whole. */
function problemsOf(stored: readonly feedback.Feedback[], { acknowledged }: People): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  const places = new Set<string>();
  for (const { feedbackId: id, body, origin, comparisonId } of stored) {
    const told = acknowledged.get(id);
    if (seen.has(id)) problems.push(`doubled: ${id}`);
    seen.add(id);
    if (!told) problems.push(`nobody was told of ${body?.$case} ${id}`);
    else if (told.said !== saidIn(body)) problems.push(`changed: ${told.kind} ${id}`);
    const place = `${origin?.rater} ${comparisonId}`;
    if (body?.$case !== "ranking") continue;
    if (places.has(place)) problems.push(`ranked twice by one person: ${place}`);
    places.add(place);
  }
  for (const [id, { kind }] of acknowledged) {
    if (!seen.has(id)) problems.push(`lost: ${kind} ${id} was acknowledged`);
  }
  return problems;
}

function saidIn(body: feedback.Feedback["body"]): string {
  switch (body?.$case) {
    case "ranking": {
      const { prompt, answers, ranks } = body.value;
      return rankedAs(prompt!.messages[0]!.content, answers, ranks);
    }
    case "demonstration":
      return body.value.conversation!.messages.at(-1)!.content;
    case "flag":
      return `${body.value.conversation!.messages.at(-1)!.content}: ${body.value.comment}`;
    case undefined:
      return "";
  }
}

/** The counts of places agree with the rankings that there are. */
async function placesProblems({ operator }: PeopleGateway, people: People): Promise<string[]> {
  const overview = await operator.ok<Record<string, number>>("GET", "/api/operator/overview");
  const of = (kind: string) =>
    [...people.acknowledged.values()].filter((each) => each.kind === kind).length;
  return (["ranking", "demonstration", "flag"] as const).flatMap((kind) => {
    const [counted, told] = [overview[`${kind}s`], of(kind)];
    return counted === told ? [] : [`the overview counts ${counted} ${kind}s of ${told}`];
  });
}

/** See `doc`. */
export const gatewayKill: FaultRow = {
  name: "gateway-kill",
  doc: "kill -9 of the gateway and of PostgreSQL while people rank, write and flag through the pages: nothing acknowledged is lost, nothing doubled, no half thing",
  counts: { full: 100, short: 3 },
  unavailable: () =>
    bin === undefined ? "needs PostgreSQL: `sudo apt-get install postgresql`" : undefined,
  run,
  controls: [
    {
      name: "the gateway acknowledges before it commits",
      file: "services/gateway/dist/store/database.js",
      find: "return await db.transaction().execute(work);",
      // Only what is submitted: invitations and assignments are asked for again at once.
      replace: `if (!String(work).includes("insertFeedback")) return await db.transaction().execute(work);
          return await new Promise((resolve, reject) => {
            db.transaction().execute(async (tx) => {
              resolve(await work(tx));
              await new Promise((commit) => setTimeout(commit, 50));
            }).catch(reject);
          });`,
      count: 9,
      expect: /^lost: /,
    },
  ],
};
