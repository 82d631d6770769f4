/// <reference lib="dom" />
import { join } from "node:path";
import { createRandom } from "@stagecraft/core";
import type { feedback } from "@stagecraft/contracts";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { addPerson, newSignInToken } from "../src/auth/people.js";
import type { Database } from "../src/store/database.js";
import { createFeedbackStore } from "../src/store/feedback-store.js";
import { emptyDatabase, openTestDatabase } from "../test/databases.js";
import { putUp, testServer } from "../test/http-kit.js";
import { CHROMIUM, openPage, startBrowser } from "./browser.js";
import { shownRanks } from "./rank-desk.js";

const pagesDir = join(import.meta.dirname, "..", "dist", "web");

describe.skipIf(!CHROMIUM)("the pages in front of the gateway itself", () => {
  let browser: Browser;
  let database: Database;
  beforeAll(async () => {
    browser = await startBrowser();
    database = await openTestDatabase();
  });
  beforeEach(() => emptyDatabase(database.db));
  afterAll(async () => {
    await browser?.close();
    await database?.close();
  });

  /** Signs somebody in by the link that he was given. */
  async function signIn(server: { start(): Promise<{ origin: string }> }, clock: { ms: number }) {
    const { origin } = await server.start();
    const { token } = await database.transact(async (tx) =>
      newSignInToken(tx, await addPerson(tx, "Ann", ["rater", "writer"]), new Date(clock.ms)),
    );
    const page = await openPage(browser, `${origin}/sign-in#${token}`);
    await page.waitForSelector("text=Hello Ann");
    return page;
  }

  it("signs in by link; ranks on the screen are the ranks in the database", async () => {
    await putUp(database, 8);
    const { server, clock } = await testServer(database, { pagesDir });
    await using _server = server;
    const page = await signIn(server, clock);
    await page.click("nav >> text=Rank");
    const random = createRandom("ranks");
    const shown = new Map<string, number>();
    for (let i = 0; i < 8; i++) {
      await page.waitForSelector(".answer-card.current");
      const question = await page.textContent(".turn.user .md");
      for (let key = 0; key < 6; key++) await page.keyboard.press(String(1 + random.nextInt(4)));
      for (const [text, rank] of await ranksByText(page)) shown.set(text, rank);
      await page.keyboard.press("Enter");
      await page.waitForFunction(
        (old) => document.querySelector(".turn.user .md")?.textContent !== old,
        question,
      );
    }
    await page.waitForSelector("text=Nothing to rank for you right now");
    const stored = new Map(await storedRanks(database));
    expect(stored.size).toBe(32); // 8 comparisons of 4 answers, each once
    expect(stored).toEqual(shown);
    expect(page.problems).toEqual([]);
    await page.context().close();
  });
});

/** Each answer's text and the rank beside it on the screen. */
async function ranksByText(page: Page): Promise<[text: string, rank: number][]> {
  const texts = await page.locator(".answer-card .md").allTextContents();
  const ranks = await shownRanks(page);
  expect(ranks).not.toContain(null);
  return texts.map((text, i) => [text.trim(), ranks[i]!]);
}

async function storedRanks(database: Database): Promise<[text: string, rank: number][]> {
  const page = { pageSize: 1000, pageToken: "", includeRevised: false };
  const { items } = await createFeedbackStore(database).listFeedback({ kind: "ranking", ...page });
  return items.flatMap(({ body }) => {
    const { answers, ranks } = body!.value as feedback.Ranking;
    return answers.map((text, i): [string, number] => [text, ranks[i]!]);
  });
}
