import { THEME_CSS } from "@stagecraft/core";
import { defineConfig } from "vite";

/** `import "virtual:theme.css"`: the look that the reports have too. */
const theme = {
  name: "stagecraft-theme",
  resolveId: (/** @type {string} */ id) => (id === "virtual:theme.css" ? `\0${id}` : undefined),
  load: (/** @type {string} */ id) => (id === "\0virtual:theme.css" ? THEME_CSS : undefined),
};

/**
 * The pages are plain files for the gateway to send: one script a page group, one style sheet, nothing
 * inline, so that the Content-Security-Policy needs no exception.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  plugins: [theme],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    license: { fileName: "licences.md" }, // of what is bundled: their texts go along
    reportCompressedSize: false,
  },
});
