/// <reference lib="dom" />
import type { Browser, Page } from "playwright-core";
import { openPage, SCREENS } from "./browser.js";
import { assignment, fakeRanking, SESSION } from "./fake-rank.js";
import { startFakeServer } from "./fake-server.js";

/** The ranks as the cards on the screen show them; null = no rank yet. */
export function shownRanks(page: Page): Promise<(number | null)[]> {
  return page.$$eval(".answer-card", (cards) =>
    cards.map((card) => Number(card.getAttribute("data-shown-rank")) || null),
  );
}

/** The Rank page with a queue of comparisons, the first of them on the screen. */
export async function openRankDesk(
  browser: Browser,
  numComparisons: number,
  screen: keyof typeof SCREENS = "desk",
) {
  const queue = Array.from({ length: numComparisons }, (_, i) => assignment(i + 1));
  const ranking = fakeRanking(queue);
  const server = await startFakeServer({ "GET /session": () => SESSION, ...ranking.routes });
  const page = await openPage(browser, `${server.url}/rank`, SCREENS[screen]);
  await page.waitForSelector(".answer-card.current");
  const close = async () => {
    await page.context().close();
    await server.close();
  };
  return { page, ...ranking, [Symbol.asyncDispose]: close };
}
