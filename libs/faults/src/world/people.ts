import { setTimeout as delay } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import type { Random } from "@stagecraft/core";
import { waitFor, type PagesClient } from "@stagecraft/testing";

/** What somebody was told is stored, by the id of his submission. */
export type Acknowledged = Map<
  string,
  { kind: "ranking" | "demonstration" | "flag"; said: string }
>;

/**
 * People at the pages of a gateway that goes away again and again: they try until they have an answer. Disposed
 * of, they give up what they have in hand, and nobody asks for anything any more.
 */
export interface People extends AsyncDisposable {
  acknowledged: Acknowledged;
  /** Answers that nobody should get, such as a failure of the gateway's own. */
  problems: string[];
  /** Times that somebody sent a submission again. */
  numRepeats(): number;
  /** Rankings that this person was told are stored. */
  rankingsOf(person: PagesClient): number;
  /** Resolves when so many more submissions are acknowledged; rejects when that takes too long. */
  answered(number: number, patienceMs: number): Promise<void>;
  /** Lets everybody finish what is in hand. */
  stop(): Promise<void>;
}

const RETRY_MS = 50;

interface Shared {
  acknowledged: Acknowledged;
  problems: string[];
  repeats: number;
  isOver: boolean;
  /** Nobody waits for an answer any more. */
  givenUp: AbortController;
  random: Random;
}

/** Everybody begins to work: raters rank and flag, the writer writes. */
export function startPeople(
  { raters, writer }: { raters: readonly PagesClient[]; writer: PagesClient },
  random: Random,
): People {
  const shared: Shared = {
    acknowledged: new Map(),
    problems: [],
    repeats: 0,
    isOver: false,
    givenUp: new AbortController(),
    random,
  };
  const { acknowledged, problems } = shared;
  const counts = new Map<PagesClient, number>();
  const until = async (work: () => Promise<unknown>) => {
    while (!shared.isOver) await work();
  };
  const working = [
    ...raters.map((rater) =>
      until(async () => {
        if (await rankOne(rater, shared)) counts.set(rater, (counts.get(rater) ?? 0) + 1);
      }),
    ),
    until(() => writeOne(writer, shared)),
  ].map((work) =>
    work.catch((error: unknown) => {
      if (!shared.givenUp.signal.aborted) problems.push(String(error));
    }),
  );
  const stop = async () => {
    shared.isOver = true;
    await Promise.all(working);
  };
  return {
    ...{ acknowledged, problems },
    numRepeats: () => shared.repeats,
    rankingsOf: (person) => counts.get(person) ?? 0,
    async answered(number, timeoutMs) {
      const wanted = acknowledged.size + number;
      const isDone = () => acknowledged.size >= wanted || problems.length > 0;
      await waitFor(isDone, { what: `${number} more acknowledged`, timeoutMs });
    },
    stop,
    async [Symbol.asyncDispose]() {
      shared.givenUp.abort();
      await stop();
    },
  };
}

interface Assignment {
  assignmentId: string;
  request: { content: string }[];
  answers: string[];
}

/** Whether there was something to rank. */
async function rankOne(rater: PagesClient, shared: Shared): Promise<boolean> {
  const next = await insist(rater, shared, "/api/rank/next");
  const assignment = next["assignment"] as Assignment | null;
  if (!assignment) {
    await delay(RETRY_MS);
    return false;
  }
  const { assignmentId, request, answers } = assignment;
  const { acknowledged, random } = shared;
  const url = `/api/rank/assignments/${assignmentId}`;
  if (random.nextFloat() < 0.3) {
    const [submissionId, comment] = [randomUUID(), `comment ${random.nextUint32()}`];
    const flag = { submissionId, answer: 0, category: "false", comment };
    await insist(rater, shared, `${url}/flag`, flag);
    acknowledged.set(submissionId, { kind: "flag", said: `${answers[0]}: ${comment}` });
  }
  const ranks = answers.map(() => 1 + random.nextInt(answers.length));
  const submissionId = randomUUID();
  await insist(rater, shared, `${url}/submit`, { submissionId, ranks, criteria: {}, elapsedMs: 1 });
  const said = rankedAs(request[0]!.content, answers, ranks);
  acknowledged.set(submissionId, { kind: "ranking", said });
  return true;
}

/** A ranking as a text that is the same in whatever order the answers stand. */
export function rankedAs(
  question: string,
  answers: readonly string[],
  ranks: readonly number[],
): string {
  const ranked = answers.map((answer, i) => `${ranks[i]}: ${answer}`);
  return JSON.stringify([question, ranked.sort()]);
}

async function writeOne(writer: PagesClient, shared: Shared): Promise<void> {
  const { acknowledged, random } = shared;
  const content = `example ${random.nextUint32()}`;
  const turns = [
    { role: "user", content: "Hi?", answerId: null },
    { role: "assistant", content, answerId: null },
  ];
  const [draftId, submissionId] = [randomUUID(), randomUUID()];
  const draft = { submissionId: draftId, requestId: null, turns };
  await insist(writer, shared, "/api/write/drafts", draft);
  const submitted = { submissionId, revision: 1 };
  await insist(writer, shared, `/api/write/drafts/${draftId}/submit`, submitted);
  acknowledged.set(submissionId, { kind: "demonstration", said: content });
}

/** Sends the same again until it is answered with 200. */
async function insist(
  person: PagesClient,
  shared: Shared,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const { signal } = shared.givenUp;
  for (;;) {
    const answer = await person.call("POST", path, body).catch(() => undefined);
    signal.throwIfAborted();
    if (answer?.status === 200) return answer.body;
    // No connection, a database that is away, or too many requests: try again.
    if (answer && ![503, 429].includes(answer.status)) {
      throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    shared.repeats++;
    await delay(RETRY_MS, undefined, { signal });
  }
}
