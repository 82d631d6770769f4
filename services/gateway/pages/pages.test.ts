/// <reference lib="dom" />
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { violationsOf } from "./axe.js";
import { CHROMIUM, SCREENS, startBrowser } from "./browser.js";
import { openStudio, PAGES } from "./studio.js";

const LOOKS = [
  ["light", { ...SCREENS.desk, colorScheme: "light" }],
  ["dark", { ...SCREENS.desk, colorScheme: "dark" }],
  ["on a phone", { ...SCREENS.phone, colorScheme: "light" }],
] as const;

const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

describe.skipIf(!CHROMIUM)("every page", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  for (const [path, word] of PAGES) {
    for (const [look, options] of LOOKS) {
      it(`${path} has no violation of axe's rules and fits the window, ${look}`, async () => {
        await using studio = await openStudio(browser, path, options);
        const { page } = studio;
        await page.waitForSelector(`text=${word}`);
        for (const summary of await page.$$("main details:not([open]) > summary")) {
          await summary.click();
        }
        expect(await violationsOf(page)).toEqual([]);
        expect(await overflow(page)).toBe(0);
        expect(await page.evaluate(() => "hacked" in window)).toBe(false);
        expect(page.problems).toEqual([]);
      });
    }
  }

  for (const [name, look] of LOOKS.slice(0, 2)) {
    it(`Operator's parts have no violation of axe's rules, ${name}`, async () => {
      await using studio = await openStudio(browser, "/operator", look);
      const { page } = studio;
      for (const part of ["Queue", "Settings", "Gold", "Flags", "Keys", "Who did what"]) {
        await page.click(`.tabs >> text="${part}"`);
        await page.waitForSelector("main section h2, main form h2");
        await page.waitForFunction(() => !document.body.innerText.includes("Loading"));
        for (const summary of await page.$$("main details:not([open]) > summary")) {
          await summary.click();
        }
        expect(await violationsOf(page), part).toEqual([]);
        expect(await overflow(page)).toBe(0);
      }
      expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    });
  }

  it("is reached from the keyboard, and its heading gets the focus", async () => {
    await using studio = await openStudio(browser, "/");
    const { page } = studio;
    await page.waitForSelector("text=Hello");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(
      "Go to the content",
    );
    for (let i = 0; i < 3; i++) await page.keyboard.press("Tab"); // name, Start, Rank
    await page.keyboard.press("Enter");
    await page.waitForSelector("h1:text-is('Rank')");
    expect(await page.title()).toBe("Rank · Stagecraft");
  });
});

describe.skipIf(!CHROMIUM)("what people do", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  it("Write: takes a request, lets the model draft, edits, sees the change, hands in", async () => {
    await using studio = await openStudio(browser, "/write");
    const { page, writing } = studio;
    await page.click("text=Give me a request");
    await page.waitForSelector("text=Explain rain");
    await page.click("text=Let the model draft");
    await page.waitForSelector('textarea[data-turn="1"]');
    await page.fill('textarea[data-turn="1"]', "Start with *two* lines a day.");
    await page.click("text=Show what I changed");
    expect(await page.textContent(".diff ins")).toContain("*two*");
    await page.waitForSelector("text=Saved.");
    await page.click("text=Hand in as an example");
    await page.waitForSelector("text=Stored as an example");
    const [demonstration] = writing.demonstrations;
    expect(demonstration!.turns[1]).toMatchObject({ content: "Start with *two* lines a day." });
    expect(demonstration!.turns[1]!.draft).toContain("*one*"); // what the model had written is kept
    expect(page.problems).toEqual([]);
  });

  it("Write: keeps a draft that is not handed in, from the keyboard alone", async () => {
    await using studio = await openStudio(browser, "/write");
    const { page, writing } = studio;
    await page.focus("text=I play the user myself");
    await page.keyboard.press("Enter");
    await page.focus('textarea[data-turn="0"]');
    await page.keyboard.type("Who are you?");
    await page.focus("text=Write the answer from nothing");
    await page.keyboard.press("Enter");
    await page.focus('textarea[data-turn="1"]');
    await page.keyboard.type("A small assistant.");
    await page.focus("text=Keep as a draft");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Your drafts");
    await expect
      .poll(() => writing.drafts.get("d1")?.turns.map(({ content }) => content))
      .toEqual(["Who are you?", "A small assistant."]);
  });

  it("Write: says what is missing, and what another window has changed", async () => {
    await using studio = await openStudio(browser, "/write");
    const { page, writing } = studio;
    await page.click("text=I play the user myself");
    await page.click("text=Hand in as an example");
    expect(await page.textContent(".notice.bad")).toContain("Turn 1 is empty");
    writing.drafts.get("d1")!.revision = 7;
    await page.fill('textarea[data-turn="0"]', "Hello");
    await page.waitForSelector("text=changed in another window");
    expect(await page.inputValue('textarea[data-turn="0"]')).toBe("Hello"); // nothing is lost
  });

  it("Break it: asks, flags the answer with a category", async () => {
    await using studio = await openStudio(browser, "/break");
    const { page, writing } = studio;
    await page.fill("textarea", "Say something bad");
    await page.keyboard.press("Enter");
    await page.click("text=This should not be said");
    await page.selectOption("dialog select", "hate");
    await page.fill("dialog textarea", "<b>bad</b>");
    await page.click("text=Store the flag");
    await page.waitForSelector("text=Can you find another?");
    expect(writing.flags).toMatchObject([
      { answerId: "answer-1", category: "hate", comment: "<b>bad</b>" },
    ]);
    expect(await violationsOf(page)).toEqual([]);
    expect(page.problems).toEqual([]);
  });

  it("Chat: branches by asking again and by editing, and votes", async () => {
    await using studio = await openStudio(browser, "/chat");
    const { page, writing } = studio;
    await page.fill(".message-box textarea", "Hello");
    await page.keyboard.press("Enter");
    await page.click("text=Answer again");
    await page.waitForSelector("text=2 of 2");
    await page.click('[aria-label="Version before"]');
    await page.waitForSelector("text=1 of 2");
    await page.click('[aria-label="Good answer"]');
    await page.waitForSelector("text=Stored.");
    expect(writing.votes).toMatchObject([{ answerId: "answer-1", vote: "up" }]);
    await page.click("text=Edit");
    await page.fill("li textarea", "Hello again");
    await page.click("li >> text=Send");
    await expect.poll(() => writing.asked.at(-1)?.turns.at(-1)?.content).toBe("Hello again");
    expect(await violationsOf(page)).toEqual([]);
  });

  it("Chat: two versions side by side, blind until the vote, which becomes a pair", async () => {
    await using studio = await openStudio(browser, "/chat");
    const { page, writing } = studio;
    await page.click("text=Two versions, blind");
    await page.fill(".message-box textarea", "Which is better?");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Answer 2 is better");
    expect(await page.locator(".sides >> text=version").count()).toBe(0); // no names yet
    await page.click("text=Answer 2 is better");
    await page.waitForSelector("text=Stored as a pair");
    expect(writing.votes).toMatchObject([{ vote: "better" }]);
    const ids = [writing.votes[0]!.answerId, writing.votes[0]!.than].sort();
    expect(ids).toEqual(["answer-1", "answer-2"]);
  });

  it("Chat: answers without a word can be voted on, and two that say the same teach nothing, which is said", async () => {
    await using studio = await openStudio(browser, "/chat");
    const { page, writing } = studio;
    for (const number of [1, 2]) writing.silent.add(number);
    await page.click("text=Two versions, blind");
    await page.fill(".message-box textarea", "Which is better?");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Answer 2 is better");
    expect(await page.locator("text=It answered without a word.").count()).toBe(2);
    await page.click("text=Answer 2 is better");
    await page.waitForSelector("text=Both answers say the same: there is nothing to learn from");
    expect(writing.votes).toHaveLength(1);
  });

  it("Operator: says for how long nothing was heard of the loop", async () => {
    await using studio = await openStudio(browser, "/operator");
    await studio.page.waitForSelector("text=Nothing was heard of this loop for 45 minutes.");
    expect(await violationsOf(studio.page)).toEqual([]);
  });

  it("People: invites by a link to copy", async () => {
    await using studio = await openStudio(browser, "/people");
    const { page, operating } = studio;
    await page.fill('input[maxlength="100"]', "Zoë");
    await page.click("text=Make a link");
    await page.waitForSelector("text=Copy the link");
    const link = await page.inputValue('[aria-label="Sign-in link"]');
    expect(link).toMatch(/\/sign-in#p9-token$/);
    expect(operating.invited).toEqual([{ name: "Zoë", roles: ["rater", "writer"] }]);
  });

  it("Operator: makes a key for a program, shows it once, and ends it", async () => {
    await using studio = await openStudio(browser, "/operator");
    const { page, operating } = studio;
    await page.click('.tabs >> text="Keys"');
    await page.fill('input[maxlength="80"]', "nightly eval");
    await page.fill("text=Tokens a minute", "9000");
    await page.click("text=Make a key");
    await page.waitForSelector("text=Copy the key");
    expect(await page.inputValue('[aria-label="Key"]')).toBe("sc-Zy9xW-shown-once");
    const limits = { requestsPerMinute: null, tokensPerMinute: 9000, concurrent: null };
    expect(operating.keys.at(-1)).toMatchObject({ scopes: ["generate"], ...limits });
    await page.click('[aria-label="End the key nightly eval"]');
    await page.waitForSelector('[aria-label="End the key nightly eval"]', { state: "detached" });
    expect(operating.keys).toHaveLength(1);
  });

  it("Operator: starts a round, changes the overlap, makes a gold item, withdraws", async () => {
    await using studio = await openStudio(browser, "/operator");
    const { page, operating } = studio;
    await page.click("text=Start a round");
    await page.waitForSelector("text=trains its reward model");
    await page.click('.tabs >> text="Settings"');
    await page.fill('input[max="100"]', "2");
    await page.click('text="Save"');
    await page.waitForSelector("text=Saved.");
    expect(operating.settings().ratersPerComparison).toBe(2);
    await page.click('.tabs >> text="Queue"');
    await page.click("summary >> text=Why is the sky blue?");
    await page.selectOption(".gold-form label:nth-child(2) select", "2");
    await page.click("text=Make it a gold item");
    await expect.poll(() => operating.gold).toMatchObject([{ ranks: [1, 2, 1] }]);
    await page.click("text=Withdraw: nobody");
    await expect.poll(() => operating.withdrawn).toEqual(["c1"]);
    expect(await page.getAttribute("text=Rankings (JSONL)", "href")).toBe(
      "/api/operator/export/rankings",
    );
  });
});
