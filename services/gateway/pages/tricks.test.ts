/// <reference lib="dom" />
import { join } from "node:path";
import { common, feedback } from "@stagecraft/contracts";
import { signInByLink } from "@stagecraft/testing";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addPerson, newSignInToken } from "../src/auth/people.js";
import { reportLoop } from "../src/feedback/loop-reports.js";
import type { NextAssignment } from "../src/http/api/index.js";
import { createHttpServer, type HttpServer } from "../src/http/server.js";
import { fixedModels } from "../src/openai/index.js";
import type { Database } from "../src/store/database.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { openTestDatabase } from "../test/databases.js";
import { uuid } from "../test/http-kit.js";
import { backendOf, END, piece } from "../test/openai/rig.js";
import { CHROMIUM, openPage, startBrowser } from "./browser.js";
import { PAGES } from "./studio.js";

const pagesDir = join(import.meta.dirname, "..", "dist", "web");
const SCRIPT = "<script>window.hacked=1</script>";
/** What runs, loads or hides something on a page that takes it for more than text. */
const TRICKS = [
  SCRIPT,
  "<img src=x onerror=window.hacked=1>",
  "<svg onload=window.hacked=1></svg>",
  '<iframe srcdoc="<script>parent.hacked=1</script>"></iframe>',
  '<a href="javascript:window.hacked=1">html link</a>',
  "<style>main { display: none }</style></textarea></option></title>",
  '<form action="https://spy.example/"><button>send</button></form>',
  "![picture](https://spy.example/p.png)",
  "[link](javascript:window.hacked=1) [data](data:text/html,<script>window.hacked=1</script>)",
  "[by name][bad]\n\n[bad]: javascript:window.hacked=1",
  "`</code><img src=x onerror=window.hacked=1>` &lt;script&gt;",
  "<JaVaScRiPt:window.hacked=1> <javascript:window.hacked=1>",
].join("\n\n");
/** Pages that show what people and models say. */
const OF_PEOPLE = ["/", "/rank", "/write", "/break", "/chat", "/people", "/operator"] as string[];
const QUESTION = `Which? ${TRICKS}`;
const user = { role: "user", content: QUESTION };

describe.skipIf(!CHROMIUM)(
  "scripts and Markdown tricks in everything that people and models say",
  () => {
    let browser: Browser;
    let database: Database;
    let server: HttpServer;
    let origin: string;
    beforeAll(async () => {
      [browser, database] = await Promise.all([startBrowser(), openTestDatabase()]);
      const trickster = backendOf(async function* () {
        yield piece(`An answer. ${TRICKS}`, END);
      });
      const models = fixedModels({ [`${SCRIPT} one`]: trickster, [`${SCRIPT} two`]: trickster });
      server = await createHttpServer({ database, models, pagesDir, defaults: { goldShare: 0 } });
      ({ origin } = await server.start());
    });
    afterAll(async () => {
      await browser?.close();
      await server?.close();
      await database?.close();
    });

    const linkFor = async (name: string, ...roles: Parameters<typeof addPerson>[2]) => {
      const { token } = await database.transact(async (tx) =>
        newSignInToken(tx, await addPerson(tx, name, roles), new Date()),
      );
      return `${origin}/sign-in#${token}`;
    };

    it("stay text on every page and in every list, and load nothing", async () => {
      const admin = await signInByLink(await linkFor(`${SCRIPT} admin`, "admin"));
      await plant(database, admin, linkFor);
      const [name, value] = admin.cookie.split("=") as [string, string];
      const page = await openPage(browser, `${origin}/sign-in`);
      const foreign: string[] = [];
      page.on("request", (request) => {
        if (!request.url().startsWith(origin)) foreign.push(request.url());
      });
      await page.context().addCookies([{ name, value, url: origin }]);
      for (const [path, word] of PAGES.filter(([each]) => OF_PEOPLE.includes(each))) {
        await page.goto(`${origin}${path}`);
        await page.waitForSelector(`text=${word}`);
        await use(page, path);
        await page.$$eval("details", (all) => all.forEach((each) => (each.open = true)));
        await expectText(page, path);
      }
      expect(foreign).toEqual([]);
      expect(page.problems).toEqual([]);
      await page.context().close();
    });

    it("leave as text in every export, which no browser shows as a page", async () => {
      const admin = await signInByLink(await linkFor("exporter", "admin"));
      for (const kind of ["rankings", "demonstrations", "flags"]) {
        const url = `${origin}/api/operator/export/${kind}`;
        const response = await fetch(url, { headers: { cookie: admin.cookie } });
        expect(response.headers.get("content-type")).toMatch(/^application\/x-ndjson/);
        expect(response.headers.get("content-disposition")).toMatch(/^attachment/);
        expect(response.headers.get("x-content-type-options")).toBe("nosniff");
        const lines = (await response.text()).trimEnd().split("\n");
        const records = lines.map((line) => JSON.parse(line) as object);
        expect(JSON.stringify(records)).toContain(JSON.stringify(TRICKS).slice(1, -1));
      }
    });
  },
);

type Client = Awaited<ReturnType<typeof signInByLink>>;

/** Tricks in every text that the database holds. */
async function plant(
  database: Database,
  admin: Client,
  linkFor: (name: string, role: "rater") => Promise<string>,
): Promise<void> {
  const prompt = { messages: [{ role: common.Role.USER, content: QUESTION }] };
  const comparisons = ["one", "two", "three", "four"].map((id): feedback.Comparison => ({
    ...{ comparisonId: `${SCRIPT} ${id}`, prompt, kind: SCRIPT, batch: SCRIPT },
    answers: [1, 2, 3].map((i) => `Answer ${i} of ${id}. ${TRICKS}`),
    modelVersion: `${SCRIPT}@1`,
  }));
  const store = createFeedbackStore(database);
  await store.addComparisons(comparisons);
  const criterion = { id: "nice", name: SCRIPT, question: SCRIPT, ask: "optional" };
  await admin.ok("PUT", "/api/operator/criteria", { criteria: [criterion] });
  await admin.ok("PATCH", "/api/operator/settings", { ratersPerComparison: 3 });
  for (const [i, ranks] of [
    [1, 2, 3],
    [3, 2, 1],
  ].entries()) {
    const rater = await signInByLink(await linkFor(`${SCRIPT} rater ${i}`, "rater"));
    const { assignment } = await rater.ok<NextAssignment>("POST", "/api/rank/next");
    const path = `/api/rank/assignments/${assignment!.assignmentId}`;
    const ranking = { submissionId: uuid(), ranks, criteria: { nice: ranks }, elapsedMs: 1 };
    await rater.ok("POST", `${path}/submit`, ranking);
    const flag = { submissionId: uuid(), answer: 0, category: "other", comment: TRICKS };
    await rater.ok("POST", `${path}/flag`, flag);
    const { assignment: other } = await rater.ok<NextAssignment>("POST", "/api/rank/next");
    const skip = { submissionId: uuid(), reason: "other", comment: TRICKS.slice(0, 1000) };
    await rater.ok("POST", `/api/rank/assignments/${other!.assignmentId}/skip`, skip);
  }
  const gold = encodeURIComponent(comparisons[3]!.comparisonId);
  await admin.ok("PUT", `/api/operator/gold/${gold}`, { ranks: [1, 2, 3] });
  await admin.ok("POST", "/api/operator/requests", { requests: [{ turns: [user] }] });
  for (const isSubmitted of [true, false]) {
    const turns = [user, { role: "assistant", content: TRICKS }];
    const draft = { requestId: null, turns: turns.map((turn) => ({ ...turn, answerId: null })) };
    const submissionId = uuid();
    await admin.ok("POST", "/api/write/drafts", { submissionId, ...draft });
    const submitted = { submissionId: uuid(), revision: 1 };
    if (isSubmitted) await admin.ok("POST", `/api/write/drafts/${submissionId}/submit`, submitted);
  }
  // Programs may name categories of their own.
  const conversation = { messages: [...prompt.messages, { role: 3, content: TRICKS }] };
  const value = { conversation, reason: 1, comment: TRICKS, category: SCRIPT };
  await store.add({
    ...{ feedbackId: uuid(), createdAt: new Date(), comparisonId: "" },
    origin: { rater: admin.personId, kind: "", modelVersion: SCRIPT },
    body: { $case: "flag", value },
  });
  const report = { loop: SCRIPT, round: 1, state: feedback.LoopState.FAILED, text: TRICKS };
  const finished = { round: 1, newRankings: 1, promoted: true, policyVersion: SCRIPT };
  const all = feedback.ReportLoopRequest.fromPartial({ ...report, finished });
  await database.transact((tx) => reportLoop(tx, all, new Date()));
}

/** Does on a page what brings more texts onto it. */
async function use(page: Page, path: string): Promise<void> {
  if (path === "/rank") await page.waitForSelector(".answer-card.current");
  if (path === "/write") {
    await page.click("text=Give me a request");
    await page.waitForSelector("text=Hand in as an example");
  }
  if (path === "/chat") {
    await page.click("text=Two versions, blind");
    await page.fill(".message-box textarea", QUESTION);
    await page.keyboard.press("Enter");
    await page.click("text=Answer 1 is better");
    await page.waitForSelector("text=there is nothing to learn from");
    await expectText(page, "side by side");
    await page.click("text=One version");
  }
  if (path === "/chat" || path === "/break") {
    await page.fill(".message-box textarea", QUESTION);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".turn.assistant:not(.growing)");
  }
}

/** Nothing has run, nothing was made of it but text and harmless marks, and the text can be read. */
async function expectText(page: Page, where: string): Promise<void> {
  const found = await page.evaluate(() => {
    const made =
      "script, img, svg:not([viewBox]), iframe, object, embed, style, form[action], title";
    const isRead = document.body.innerText.includes("window.hacked=1");
    const handlers = [...document.querySelectorAll("*")].filter((each) =>
      [...each.attributes].some(({ name }) => name.startsWith("on")),
    );
    return {
      hacked: "hacked" in window,
      made: [...document.querySelectorAll(`main :is(${made}), dialog :is(${made})`)].map(
        (each) => each.outerHTML,
      ),
      inline: document.querySelectorAll("script:not([src])").length,
      handlers: handlers.map((each) => each.outerHTML),
      links: [...document.querySelectorAll<HTMLAnchorElement>("a[href]")]
        .map((each) => each.protocol)
        .filter((protocol) => !["http:", "https:", "mailto:"].includes(protocol)),
      isRead,
    };
  });
  const clean = { hacked: false, made: [], inline: 0, handlers: [], links: [], isRead: true };
  expect({ where, ...found }).toEqual({ where, ...clean });
}
