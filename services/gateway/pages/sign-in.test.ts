import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ApiFailure } from "../src/http/api/index.js";
import { violationsOf } from "./axe.js";
import { CHROMIUM, openPage, startBrowser } from "./browser.js";
import { SESSION } from "./fake-rank.js";
import { FakeFailure, startFakeServer } from "./fake-server.js";

const fail = (status: number, failure: ApiFailure["error"]) => {
  throw new FakeFailure(status, failure);
};
const nobody = () =>
  fail(401, { code: "unauthenticated", message: "Nobody is signed in.", advice: "" });

describe.skipIf(!CHROMIUM)("signing in", () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser?.close());

  it("takes the token of the link out of the address and never asks with it twice", async () => {
    const tokens: unknown[] = [];
    await using server = await startFakeServer({
      "GET /session": nobody,
      "POST /session": ({ body }) => (tokens.push(body), SESSION),
    });
    const page = await openPage(browser, `${server.url}/sign-in#the-token`);
    await page.waitForSelector("text=Hello");
    expect(page.url()).toBe(`${server.url}/`);
    expect(tokens).toEqual([{ token: "the-token" }]);
    await page.context().close();
  });

  it("offers the provider, and says why somebody came back without being signed in", async () => {
    await using server = await startFakeServer({
      "GET /session": nobody,
      "GET /sign-in": () => ({ provider: "Example <b>Org</b>" }),
    });
    const page = await openPage(browser, `${server.url}/sign-in?problem=stranger`);
    await page.waitForSelector("text=have no part here");
    const link = page.locator("text=Sign in at Example <b>Org</b>");
    expect(await link.getAttribute("href")).toBe("/api/session/oidc");
    expect(await violationsOf(page)).toEqual([]);
    await page.context().close();
  });

  it("says what to do when a link is used up, and takes name and password", async () => {
    await using server = await startFakeServer({
      "GET /session": nobody,
      "POST /session": () =>
        fail(401, {
          code: "unauthenticated",
          message: "This link was used already.",
          advice: "Ask for a new one.",
        }),
      "POST /session/password": ({ body }) =>
        (body as { password: string }).password === "a long password"
          ? SESSION
          : fail(401, {
              code: "unauthenticated",
              message: "Name or password is wrong.",
              advice: "",
            }),
    });
    const page = await openPage(browser, `${server.url}/sign-in#old`);
    await page.waitForSelector("text=This link was used already.");
    await page.click("summary");
    expect(await violationsOf(page)).toEqual([]);
    await page.fill('[autocomplete="username"]', "Ada");
    await page.fill('[type="password"]', "wrong");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Name or password is wrong.");
    await page.fill('[type="password"]', "a long password");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=Hello");
    await page.context().close();
  });

  it("says that the server does not answer, keeps the page, and tries again", async () => {
    await using server = await startFakeServer({ "GET /session": () => SESSION });
    const page = await openPage(browser, `${server.url}/icon.svg`);
    await page.route("**/api/**", (route) => route.abort());
    await page.goto(server.url);
    await page.waitForSelector("text=The server does not answer.");
    await page.unroute("**/api/**");
    await page.click("button:text('Try again')");
    await page.waitForSelector("text=Hello");
    await page.context().close();
  });

  it("shows a rater no page of operators", async () => {
    const hidden = { people: false, operator: false, chat: false, models: false, runs: false };
    const pages = { ...SESSION.pages, ...hidden };
    await using server = await startFakeServer({ "GET /session": () => ({ ...SESSION, pages }) });
    const page = await openPage(browser, `${server.url}/people`);
    await page.waitForSelector("text=This page is not there, or not for you");
    expect(await page.locator("nav a").allTextContents()).toEqual([
      "Start",
      "Rank",
      "Write",
      "Break it",
    ]);
    await page.context().close();
  });
});
