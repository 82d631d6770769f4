import { defineConfig } from "vite";

/**
 * The pages are plain files for the gateway to send: one script a page group, one style sheet, nothing
 * inline, so that the Content-Security-Policy needs no exception.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: "/",
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    reportCompressedSize: false,
  },
});
