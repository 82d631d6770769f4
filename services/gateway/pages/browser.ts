import type { Browser } from "playwright-core";
import { launchBrowser } from "@stagecraft/testing";
import { buildPages } from "../web/build.mjs";

export { CHROMIUM, openPage, SCREENS } from "@stagecraft/testing";

/** A browser with fresh pages to show. */
export async function startBrowser(): Promise<Browser> {
  await buildPages();
  return launchBrowser();
}
