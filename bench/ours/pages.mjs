// The Rank page in Chromium, nothing cached: from asking for its address to an answer that shows the rank
// of a key. A line of JSON a round on standard output; the first line says what the page's scripts weigh.
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { signInByLink, tempDir } from "@stagecraft/testing";
import { startGateway } from "./people-gateway.mjs";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = PLACES.find((place) => existsSync(place));
if (!executablePath) throw new Error("no Chromium: apt-get install chromium");
const dir = await tempDir();
const gateway = await startGateway({ dir: dir.path });
process.on("exit", () => void gateway[Symbol.asyncDispose]());
await gateway.addComparisons(200);
const { cookie } = await signInByLink(await gateway.invite("Ann", "rater"));
const [name, value] = cookie.split("=");
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-background-networking", "--disable-gpu"],
});

async function look() {
  const context = await browser.newContext();
  await context.addCookies([{ name, value, url: gateway.origin }]);
  const page = await context.newPage();
  const scripts = [];
  page.on("response", (response) => {
    if (response.request().resourceType() === "script") scripts.push(response.body());
  });
  const startMs = performance.now();
  await page.goto(`${gateway.origin}/rank`, { waitUntil: "commit" });
  await page.waitForSelector(".answer-card.current");
  await page.keyboard.press("1");
  await page.waitForSelector('.answer-card[data-shown-rank="1"]');
  const interactiveMs = performance.now() - startMs;
  const gzipped = (await Promise.all(scripts)).map((body) => gzipSync(body).length);
  await context.close();
  return { interactiveMs, scriptKb: gzipped.reduce((sum, size) => sum + size, 0) / 1000 };
}

console.log(JSON.stringify(await look()));
for await (const _ of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await look()));
}
await browser.close();
await gateway[Symbol.asyncDispose]();
await dir[Symbol.asyncDispose]();
process.exit(0);
