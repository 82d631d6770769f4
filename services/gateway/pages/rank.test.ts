/// <reference lib="dom" />
import { createRandom } from "@stagecraft/core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, openPage, SCREENS, startBrowser } from "./browser.js";
import { assignment, fakeRanking, SESSION } from "./fake-rank.js";
import { startFakeServer } from "./fake-server.js";

const shownRanks = (page: Page) =>
  page.$$eval(".answer-card", (cards) =>
    cards.map((card) => Number(card.getAttribute("data-shown-rank")) || null),
  );

describe.skipIf(!CHROMIUM)("the Rank page", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  async function open(numComparisons: number, screen: keyof typeof SCREENS = "desk") {
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

  it("ranks from the keyboard alone: digits, ties, Enter, U, S, F and ?", async () => {
    await using desk = await open(3);
    const { page, stored, skips, flags } = desk;
    await page.keyboard.type("21"); // A 2, B 1; the focus goes to C, then D
    await page.keyboard.type("2");
    await page.keyboard.press("Enter");
    expect(await page.textContent(".rank-dock .notice")).toContain(
      "1 answer without a rank yet (D)",
    );
    await page.keyboard.type("4");
    expect(await shownRanks(page)).toEqual([2, 1, 2, 4]);
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=(2)");
    expect(stored.get("a1")).toEqual({ ranks: [2, 1, 2, 4], criteria: {} });

    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("f");
    await page.keyboard.press("Tab"); // from the choice to the comment
    await page.keyboard.type("not nice");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => !document.querySelector("dialog"));
    await expect.poll(() => flags).toMatchObject([{ answer: 1, comment: "not nice" }]);

    await page.keyboard.press("s");
    await page.keyboard.press("ArrowDown"); // the second reason
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=(3)");
    expect(skips).toMatchObject([{ reason: "unclear" }]);

    await page.keyboard.press("?");
    await page.waitForSelector("dialog >> text=How to rank");
    await page.keyboard.press("Escape");
    await page.keyboard.press("u"); // takes the skip back
    await page.waitForSelector("text=(2)");
    expect(page.problems).toEqual([]);
  });

  it("undoes the last change first, then the last comparison, and stores the last word", async () => {
    await using desk = await open(2);
    const { page, stored } = desk;
    await page.keyboard.type("1234");
    await page.keyboard.press("u");
    expect(await shownRanks(page)).toEqual([1, 2, 3, null]);
    await page.keyboard.type("3");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=(2)");
    expect(stored.get("a1")?.ranks).toEqual([1, 2, 3, 3]);
    await page.keyboard.press("u");
    await page.waitForSelector("text=(1)");
    await expect.poll(() => shownRanks(page)).toEqual([1, 2, 3, 3]);
    await page.keyboard.type("4");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=(2)");
    expect(stored.get("a1")?.ranks).toEqual([4, 2, 3, 3]);
  });

  it("ranks with the mouse: buttons, and letters dragged into order", async () => {
    await using desk = await open(2);
    const { page, stored } = desk;
    const press = (answer: number, rank: number) =>
      page.click(`[data-answer="${answer}"] .rank-button:nth-child(${rank})`);
    for (const answer of [0, 1, 2]) await press(answer, answer + 1);
    const drag = async (letter: string, where: string) => {
      const chip = await page.locator(`.order-chip:text-is("${letter}")`).boundingBox();
      await page.mouse.move(chip!.x + 8, chip!.y + 8);
      await page.mouse.down();
      await page.mouse.move(chip!.x + 20, chip!.y + 8, { steps: 3 });
      const target = await page.locator(`[data-drop="${where}"]`).boundingBox();
      await page.mouse.move(target!.x + 4, target!.y + target!.height / 2, { steps: 4 });
      await page.mouse.up();
    };
    await drag("D", "before:0"); // D is best now
    expect(await shownRanks(page)).toEqual([2, 3, 4, 1]);
    await drag("C", "on:2"); // a tie with A
    expect(await shownRanks(page)).toEqual([2, 3, 2, 1]);
    await page.click("text=Submit");
    await page.waitForSelector("text=(2)");
    expect(stored.get("a1")?.ranks).toEqual([2, 3, 2, 1]);
    expect(page.problems).toEqual([]);
  });

  it("works at 360 pixels with a finger, and nothing is wider than the screen", async () => {
    await using desk = await open(2, "phone");
    const { page, stored } = desk;
    for (const [answer, rank] of [4, 3, 2, 1].entries()) {
      await page.tap(`[data-answer="${answer}"] .rank-button:nth-child(${rank})`);
    }
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
    await page.tap("text=Submit");
    await page.waitForSelector("text=(2)");
    expect(stored.get("a1")?.ranks).toEqual([4, 3, 2, 1]);
  });

  it("ranks by criteria in rows of their own", async () => {
    await using desk = await open(2);
    const { page, stored } = desk;
    await page.keyboard.type("1234c4321");
    expect(await shownRanks(page)).toEqual([4, 3, 2, 1]);
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=(2)");
    expect(stored.get("a1")).toEqual({
      ranks: [1, 2, 3, 4],
      criteria: { honest: [4, 3, 2, 1] },
    });
  });

  it("keeps scripts, pictures and foreign links in requests, answers and names text", async () => {
    await using desk = await open(6);
    const { page } = desk;
    await page.waitForSelector("text=window.hacked");
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await page.locator("main script, main img, .bar img").count()).toBe(0);
    const links = await page.$$eval("main a", (all) => all.map((a) => a.getAttribute("href")));
    expect(links.filter((href) => href?.startsWith("javascript:"))).toEqual([]);
    expect(page.problems).toEqual([]);
  });

  it("stores what was on the screen, over 500 random interactions", async () => {
    await using desk = await open(60);
    const { page, stored } = desk;
    const random = createRandom(17);
    const KEYS = ["1", "2", "3", "4", "3", "2", "ArrowUp", "ArrowDown", "0", "ArrowLeft", "4u"];
    let numInteractions = 0;
    while (numInteractions < 500) {
      const keys = Array.from({ length: 4 + random.nextInt(9) }, () => KEYS[random.nextInt(11)]!);
      for (const key of keys.flatMap((key) => (key === "4u" ? ["4", "u"] : [key]))) {
        await page.keyboard.press(key);
        numInteractions++;
      }
      const shown = await shownRanks(page);
      const current = stored.size + 1;
      await page.keyboard.press("Enter");
      if (shown.includes(null)) {
        await page.waitForSelector(".rank-dock .notice");
        expect(stored.has(`a${current}`)).toBe(false);
      } else {
        await page.waitForSelector(`text=(${current + 1})`);
        expect(stored.get(`a${current}`)?.ranks).toEqual(shown);
      }
    }
    expect(stored.size).toBeGreaterThan(10);
  });
});
