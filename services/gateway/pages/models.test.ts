/// <reference lib="dom" />
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { violationsOf } from "./axe.js";
import { CHROMIUM, SCREENS, startBrowser } from "./browser.js";
import { openStudio } from "./studio.js";

describe.skipIf(!CHROMIUM)("the Models page", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  for (const [look, options] of [
    ["light", { ...SCREENS.desk, colorScheme: "light" }],
    ["dark, on a phone", { ...SCREENS.phone, colorScheme: "dark" }],
  ] as const) {
    it(`shows where a version comes from, breaks no rule of axe's, and fits: ${look}`, async () => {
      await using studio = await openStudio(browser, "/models", options);
      const { page } = studio;
      await page.waitForSelector("text=version 3 is in use");
      await page.$$eval("main details", (all) => {
        for (const each of all) (each as HTMLDetailsElement).open = true;
      });
      const text = await page.innerText("main");
      for (const part of ["742 lines", "7".repeat(64), "made elsewhere", "of unknown origin"]) {
        expect(text).toContain(part);
      }
      expect(await violationsOf(page)).toEqual([]);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow).toBe(0);
      expect(await page.evaluate(() => "hacked" in window)).toBe(false);
      expect(page.problems).toEqual([]);
    });
  }

  it("puts a version to use and rolls back, from the keyboard alone", async () => {
    await using studio = await openStudio(browser, "/models");
    const { page, registry } = studio;
    await page.waitForSelector("text=version 3 is in use");
    await page.focus('[aria-label="Put to use: assistant version 1"]');
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=version 1 is in use");
    await page.focus("text=Roll back to the version before");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=version 3 is in use");
    expect(registry.used).toEqual([1, 2, 3]);
    const link = page.locator('[aria-label="Download (3.2 MB): assistant version 2"]');
    expect(await link.getAttribute("href")).toBe("/api/registry/assistant/2/archive");
    expect(page.problems).toEqual([]);
  });

  it("says why it could not roll back", async () => {
    await using studio = await openStudio(browser, "/models");
    const { page, registry } = studio;
    await page.waitForSelector("text=version 3 is in use");
    registry.used.splice(0, 2); // somebody else was faster
    await page.click("text=Roll back to the version before");
    await page.waitForSelector('[role="alert"] >> text=there is nothing to roll back to');
  });
});
