/// <reference lib="dom" />
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { violationsOf } from "./axe.js";
import { CHROMIUM, startBrowser } from "./browser.js";
import { openRankDesk, shownRanks } from "./rank-desk.js";

describe.skipIf(!CHROMIUM)("the Rank page in short", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  it("ranks from the keyboard alone: digits, ties, Enter, U, S, F and ?", async () => {
    await using desk = await openRankDesk(browser, 3);
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
    // Escape and U in one breath: takes the skip back.
    await page.evaluate(() => {
      document.querySelector("dialog")!.close();
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "u", bubbles: true }));
    });
    await page.waitForSelector("text=(2)");
    expect(await violationsOf(page)).toEqual([]);
    expect(page.problems).toEqual([]);
  });

  it("works at 360 pixels with a finger, and nothing is wider than the screen", async () => {
    await using desk = await openRankDesk(browser, 2, "phone");
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

  it("keeps scripts, pictures and foreign links in requests, answers and names text", async () => {
    await using desk = await openRankDesk(browser, 6);
    const { page } = desk;
    await page.waitForSelector("text=window.hacked");
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await page.locator("main script, main img, .bar img").count()).toBe(0);
    const links = await page.$$eval("main a", (all) => all.map((a) => a.getAttribute("href")));
    expect(links.filter((href) => href?.startsWith("javascript:"))).toEqual([]);
    expect(page.problems).toEqual([]);
  });
});
