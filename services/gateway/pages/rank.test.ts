/// <reference lib="dom" />
import { createRandom } from "@stagecraft/core";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, startBrowser } from "./browser.js";
import { openRankDesk, shownRanks } from "./rank-desk.js";

/** In the page: the same as the keyboard, without a way to the browser and back for each key. */
async function pressAll(keys: string[]): Promise<void> {
  for (const key of keys) {
    const options = { key, bubbles: true, cancelable: true };
    document.activeElement!.dispatchEvent(new KeyboardEvent("keydown", options));
    await new Promise((resolve) => setTimeout(resolve));
  }
}

describe.skipIf(!CHROMIUM)("the Rank page", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  it("undoes the last change first, then the last comparison, and stores the last word", async () => {
    await using desk = await openRankDesk(browser, 2);
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

  it("changes nothing by keys that come while a ranking is being stored", async () => {
    await using desk = await openRankDesk(browser, 2);
    const { page, stored } = desk;
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    await page.route("**/submit", async (route) => {
      await held;
      await route.continue();
    });
    await page.keyboard.type("1234");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".rank-dock .button.primary:disabled");
    await page.keyboard.type("4u3");
    expect(await shownRanks(page)).toEqual([1, 2, 3, 4]);
    letGo();
    await page.waitForSelector("text=(2)");
    expect(await shownRanks(page)).toEqual([null, null, null, null]);
    expect(stored.get("a1")?.ranks).toEqual([1, 2, 3, 4]);
  });

  it("skips though a flag is still on its way", async () => {
    await using desk = await openRankDesk(browser, 2);
    const { page, flags, skips } = desk;
    let letGo = () => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    await page.route("**/flag", async (route) => {
      await held;
      await route.continue();
    });
    await page.keyboard.press("f");
    await page.click("dialog button.primary");
    await page.waitForFunction(() => !document.querySelector("dialog"));
    await page.keyboard.press("s");
    await page.click("dialog button.primary");
    await page.waitForSelector("text=(2)");
    letGo();
    await expect.poll(() => flags.length).toBe(1);
    expect(skips.length).toBe(1);
  });

  it("ranks with the mouse: buttons, and letters dragged into order", async () => {
    await using desk = await openRankDesk(browser, 2);
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

  it("ranks by criteria in rows of their own", async () => {
    await using desk = await openRankDesk(browser, 2);
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

  it("stores what was on the screen, over 500 random interactions", async () => {
    await using desk = await openRankDesk(browser, 60);
    const { page, stored } = desk;
    const random = createRandom(17);
    const KEYS = ["1", "2", "3", "4", "3", "2", "ArrowUp", "ArrowDown", "0", "ArrowLeft", "4u"];
    let numInteractions = 0;
    while (numInteractions < 500) {
      const keys = Array.from({ length: 4 + random.nextInt(9) }, () => KEYS[random.nextInt(11)]!);
      const presses = keys.flatMap((key) => (key === "4u" ? ["4", "u"] : [key]));
      await page.evaluate(pressAll, presses);
      numInteractions += presses.length;
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
