import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, it } from "vitest";
import { CHROMIUM, startBrowser } from "./browser.js";
import { openStudio, PAGES } from "./studio.js";

/** Set it to a folder, such as `docs/pages`, to have every page's picture written there. */
const FOLDER = process.env["STAGECRAFT_SCREENSHOTS"];

const LOOKS = {
  light: { viewport: { width: 1000, height: 760 }, colorScheme: "light" },
  dark: { viewport: { width: 1000, height: 760 }, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 700 }, isMobile: true, hasTouch: true },
} as const;

describe.skipIf(!CHROMIUM || !FOLDER)("pictures for the documents", () => {
  let browser: Browser;
  beforeAll(async () => {
    mkdirSync(FOLDER!, { recursive: true });
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  for (const [path, word] of PAGES) {
    for (const [look, options] of Object.entries(LOOKS)) {
      it(`${path}, ${look}`, async () => {
        await using studio = await openStudio(browser, path, options);
        const { page } = studio;
        await page.waitForSelector(`text=${word}`);
        if (path === "/rank") await page.keyboard.type("213");
        if (path === "/break" || path === "/chat") {
          await page.fill(".message-box textarea", "How do I learn a poem?");
          await page.keyboard.press("Enter");
          await page.waitForSelector(".turn.assistant:not(.growing)");
        }
        if (path === "/write") {
          await page.click("text=Give me a request");
          await page.click("text=Let the model draft");
          await page.fill('textarea[data-turn="1"]', "Start with *two* lines a day.");
          await page.click("text=Show what I changed");
          await page.waitForSelector("text=Saved.");
        }
        const name = path === "/" ? "start" : path.slice(1).replace(/#.*/, "");
        await page.evaluate("window.scrollTo(0, 0)");
        await page.screenshot({ path: join(FOLDER!, `${name}-${look}.png`) });
      });
    }
  }
});
