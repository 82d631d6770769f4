import { CHART_CSS, THEME_CSS } from "@stagecraft/core";
import { defineConfig } from "vite";
import { SHARED_SCRIPTS } from "./shared.mjs";

/** @type {Readonly<Record<string, string>>} */
const STYLES = { "virtual:theme.css": THEME_CSS, "virtual:charts.css": CHART_CSS };

/** What the reports have too: their look, their curves, and how these are drawn. */
const shared = {
  name: "stagecraft-shared",
  resolveId: (/** @type {string} */ id) => (id in STYLES ? `\0${id}` : SHARED_SCRIPTS[id]?.built),
  load: (/** @type {string} */ id) => STYLES[id.replace("\0", "")],
};

/**
 * The pages are plain files for the gateway to send: one script a page group, one style sheet, nothing
 * inline, so that the Content-Security-Policy needs no exception.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  plugins: [shared],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    license: { fileName: "licences.md" }, // of what is bundled: their texts go along
    reportCompressedSize: false,
  },
});
