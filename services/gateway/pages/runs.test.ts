/// <reference lib="dom" />
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, startBrowser } from "./browser.js";
import { plotted } from "./plotted.js";
import { openStudio } from "./studio.js";

describe.skipIf(!CHROMIUM)("Runs", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  it("lays runs over one another, shows alarms with advice, from the keyboard alone", async () => {
    await using studio = await openStudio(browser, "/runs");
    const { page } = studio;
    await page.waitForSelector("text=demo/one");
    for (const name of ["demo/one", "demo/two"]) {
      await page.focus(`label:has-text("${name}") input`);
      await page.keyboard.press("Space");
    }
    await page.waitForSelector(".curve >> nth=2");
    await expect.poll(async () => Object.keys(await plotted(page, "Reward"))).toHaveLength(2);
    const lines = await plotted(page, "Reward");
    expect(Object.values(lines).map((points) => points.map(([x]) => x))).toEqual(
      Array.from({ length: 2 }, () => Array.from({ length: 12 }, (_, i) => i + 1)),
    );
    await page.waitForSelector("text=What to try: raise klCoef");
    await page.focus(".curve .plot");
    await page.keyboard.press("+");
    const span = () =>
      page.evaluate(() => {
        const figure = document.querySelector(".curve") as HTMLElement & {
          plot: { scales: { x: { min: number; max: number } } };
        };
        const { min, max } = figure.plot.scales.x;
        return max - min;
      });
    await expect.poll(span).toBe(5.5); // half of 11
    await page.keyboard.press("0");
    await expect.poll(span).toBe(11);
    await page.check("text=Logarithmic scale"); // the first score is 0 and has no place there
    await page.waitForSelector("text=2 values of 0 or less have no place on this scale.");
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(page.problems).toEqual([]);
  });

  it("pauses and resumes; starts a run from the form of the stage's schema", async () => {
    await using studio = await openStudio(browser, "/runs#one");
    const { page, runs } = studio;
    await page.waitForSelector("text=Used by demo/three (sft)");
    await page.click("text=demo/two (sft)");
    await page.waitForSelector('section[aria-label="Run demo/two"]');
    await page.goBack();
    await page.click("section.run >> text=Pause");
    await expect.poll(() => runs.runs[0]!.state).toBe("paused");
    await page.click("text=Start a run");
    await page.fill('label:has-text("Name") input', "mine");
    await page.fill('label:has-text("policy") input', "models/sft");
    await page.fill('label:has-text("prompts") input', "a.jsonl, b.jsonl");
    await page.click("text=Everything else of ppo");
    await page.selectOption('label:has-text("estimator") select', "rloo");
    await page.click("button:text-is('Start')");
    await expect
      .poll(() => runs.started)
      .toEqual([
        {
          ...{ stage: "ppo", name: "mine" },
          config: { policy: "models/sft", prompts: ["a.jsonl", "b.jsonl"], estimator: "rloo" },
        },
      ]);
    await page.waitForSelector("section.run h2:has-text('mine')");
    expect(page.problems).toEqual([]);
  });
});
