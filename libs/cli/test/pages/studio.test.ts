import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser, Page } from "playwright-core";
import { CHROMIUM, launchBrowser, openPage, SCREENS } from "@stagecraft/testing";
import { openWorkshop, spawnCli } from "../cases/case-kit.js";
import { keyboard, pointer, type Hands } from "./hands.js";
import { makeTinyRuns } from "./tiny-runs.js";

const NUM_RANKINGS = 10;
/** Longer than a round of tiny models takes on a busy machine. */
const ROUND_MS = 120_000;

describe.skipIf(!CHROMIUM)("stagecraft studio, by a person who knows no code", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await launchBrowser()));
  afterAll(() => browser?.close());

  const ways: [string, keyof typeof SCREENS, (page: Page) => Hands][] = [
    ["from the keyboard alone", "desk", keyboard],
    ["with the mouse", "desk", (page) => pointer(page)],
    ["with a finger at 360 pixels", "phone", (page) => pointer(page, true)],
  ];
  for (const [how, screen, handsOf] of ways) {
    it(`ranks, writes, flags, and a round makes a version that chats: ${how}`, async () => {
      await using workshop = await openWorkshop();
      const from = await makeTinyRuns(workshop.path("runs"));
      const flags = ["--no-open", "--port", "0", "--threads", "1", "--json"];
      const studio = spawnCli(["studio", "--from", from, ...flags]);
      try {
        const link = studio.waitFor('"signInLink"').then(() => studio.said());
        const { signInLink } = JSON.parse(await link) as { signInLink: string };
        const page = await openPage(browser, signInLink, SCREENS[screen]);
        await page.waitForSelector("text=Hello");
        await teach(page, handsOf(page));
        expect(page.problems).toEqual([]);
        const round = join(from, "studio", "loop", "rounds", "0001");
        expect(existsSync(join(round, "sft", "model"))).toBe(true);
        await page.context().close();
      } finally {
        studio.kill("SIGINT");
        await studio.done;
      }
    });
  }
});

/** All that the pages are for, once. */
async function teach(page: Page, hands: Hands): Promise<void> {
  await writeExamples(page, hands); // before the round begins, which then learns them
  await hands.goTo("Operator");
  await page.waitForSelector("text=Versions that answer now");
  await hands.press("Start a round");
  await page.waitForSelector(`text=0 of ${NUM_RANKINGS} rankings`);
  await rankAll(page, hands);
  await flagAnswers(page, hands);
  await hands.goTo("Operator");
  await page.waitForSelector("text=Round 1 is done; its assistant answers now.", {
    timeout: ROUND_MS,
  });
  await page.waitForSelector("td >> text=new version assistant-round-1");
  await hands.goTo("Chat");
  const current = 'option:has-text("assistant-round-1, the current one")';
  await page.waitForSelector(current, { state: "attached" });
  await hands.write("What is 3 and 3?", "Your message");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".turn.assistant .actions");
  await compareVersions(page, hands);
}

/** Blind: which of the two wrote what is told after the vote, which becomes a ranking. */
async function compareVersions(page: Page, hands: Hands): Promise<void> {
  await hands.press("Two versions, blind");
  await hands.write("What is 4 and 4?", "A question for both");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Answer 2 is better");
  expect(await page.locator(".sides").textContent()).not.toContain("assistant-round-1");
  await hands.press("Answer 2 is better");
  await page.waitForSelector("text=Stored as a pair to learn from");
  expect(await page.locator(".sides").textContent()).toContain("assistant-round-1");
}

async function rankAll(page: Page, hands: Hands): Promise<void> {
  await hands.goTo("Rank");
  for (let i = 1; i <= NUM_RANKINGS; i++) {
    await page.waitForSelector(".answer-card.current");
    await hands.rank(await page.locator(".answer-card").count());
    await page.waitForSelector(`text=/You: ${i} ranking/`);
  }
}

async function writeExamples(page: Page, hands: Hands): Promise<void> {
  await hands.goTo("Write");
  for (let i = 1; i <= 3; i++) {
    await hands.press("Give me a request");
    await page.waitForSelector("text=Hand in as an example");
    await hands.press("Write the answer from nothing");
    await hands.write(`It is example ${i}.`);
    await hands.press("Hand in as an example");
    await page.waitForSelector("text=Stored as an example");
    await page.waitForSelector(`section:has(h2) > details >> nth=${i - 1}`);
  }
}

async function flagAnswers(page: Page, hands: Hands): Promise<void> {
  await hands.goTo("Break it");
  for (let i = 1; i <= 2; i++) {
    await hands.write("Say something bad.", "What would you ask it?");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=This should not be said");
    await hands.press("This should not be said");
    await hands.press("Store the flag");
    await page.waitForSelector(`details:has-text("Violence or threats") >> nth=${i - 1}`);
    await hands.press("New conversation"); // a random model leaves no room for a second question
  }
}
