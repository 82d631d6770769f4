import type {
  Assignment,
  FlagAnswer,
  NextAssignment,
  RankingGiven,
  RankProgress,
  Session,
  SkipAssignment,
  SubmitRanking,
} from "../src/http/api/index.js";
import { FakeFailure, type FakeRoute } from "./fake-server.js";

/** Pictures for the documents show what people see as a rule; tests show what a careless page would run. */
const IS_PICTURE = process.env["STAGECRAFT_SCREENSHOTS"] !== undefined;

/** Texts that a careless page would run or choke on. */
export const TRICKS = {
  script: IS_PICTURE ? "" : "<script>window.hacked = true; alert(1)</script>",
  image: IS_PICTURE ? "" : '<img src=x onerror="window.hacked = true; alert(1)">',
  link: IS_PICTURE
    ? "Sing it. A tune *carries* the words."
    : "[click me](javascript:alert(1)) ![pixel](https://spy.example/p.png)",
  hebrew: "שלום, **עולם**! זהו מבחן.",
};

export const CRITERIA: Assignment["criteria"] = [
  { id: "honest", name: "Honest", question: "Which answer is true?", ask: "optional" },
  {
    id: "clear",
    name: "Clear",
    question: "Which answer is easiest to understand?",
    ask: "optional",
  },
];

const ANSWERS = [
  "You could read it again, **slowly**, and write down each step.\n\n1. Start with the title.\n2. Then the first line.",
  `Of course! Learn one line a day and say it aloud. ${TRICKS.script} ${TRICKS.image}`,
  `# A long answer\n\nIt goes on ${"and on ".repeat(40)}.\n\n\`\`\`\nconst code = "${"wide ".repeat(30)}";\n\`\`\``,
  TRICKS.link,
  TRICKS.hebrew,
  "I do not know.",
];

export function assignment(id: number, numAnswers = 4, criteria = CRITERIA): Assignment {
  return {
    assignmentId: `a${id}`,
    request: [
      {
        role: "user",
        content: `How do I learn a poem? (${id}) ${id === 1 ? TRICKS.script : ""}`.trimEnd(),
      },
    ],
    answers: Array.from({ length: numAnswers }, (_, i) => ANSWERS[(i + id) % ANSWERS.length]!),
    criteria,
    leaseExpiresAt: "2030-01-01T00:00:00.000Z",
    previous: null,
  };
}

export const SESSION: Session = {
  me: { personId: "p1", name: `Ada ${TRICKS.image}`, roles: ["admin"], hasPassword: false },
  csrfToken: "token",
  pages: {
    rank: true,
    write: true,
    breakIt: true,
    chat: true,
    people: true,
    models: true,
    operator: true,
    runs: true,
  },
};

/** The queue of one person, in memory, and everything that was handed in. */
export function fakeRanking(queue: Assignment[]) {
  const stored = new Map<string, RankingGiven>();
  const skips: SkipAssignment[] = [];
  const flags: FlagAnswer[] = [];
  const done: Assignment[] = [];
  const progress = (): RankProgress => ({
    round: { number: 2, have: 208 + stored.size, needed: 400 },
    waitingForMe: queue.length,
    mine: { today: stored.size, total: 20 + stored.size, paceSeconds: 34 },
  });
  const next = (): NextAssignment => ({
    assignment: queue[0] ?? null,
    reason: queue.length > 0 ? "" : "Everything has been ranked. Thank you.",
    progress: progress(),
  });
  const finish = (id: string) => {
    if (queue[0]?.assignmentId !== id) throw gone(id);
    done.push(queue.shift()!);
  };
  const routes: Record<string, FakeRoute> = {
    "POST /rank/next": next,
    "POST /rank/undo": () => {
      const last = done.pop();
      if (!last) throw gone("last");
      queue.unshift({ ...last, previous: stored.get(last.assignmentId) ?? null });
      return next();
    },
    "POST /rank/assignments/:id/submit": ({ params, body }) => {
      finish(params["id"]!);
      const { ranks, criteria } = body as SubmitRanking;
      stored.set(params["id"]!, { ranks, criteria });
      return { rankingId: `r${stored.size}`, stored: { ranks, criteria }, progress: progress() };
    },
    "POST /rank/assignments/:id/skip": ({ params, body }) => {
      finish(params["id"]!);
      skips.push(body as SkipAssignment);
      return { progress: progress() };
    },
    "POST /rank/assignments/:id/flag": ({ body }) => {
      flags.push(body as FlagAnswer);
      return { flagId: `f${flags.length}` };
    },
  };
  return { routes, stored, skips, flags };
}

function gone(id: string): FakeFailure {
  const message = `Comparison ${id} is not in your hand any more.`;
  return new FakeFailure(404, { code: "not_found", message, advice: "Load the next one." });
}
