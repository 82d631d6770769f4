/// <reference lib="dom" />
import type { Page } from "playwright-core";

/** How somebody works with the pages: by keys alone, with a mouse, or with a finger. */
export interface Hands {
  /** Follows a link of the navigation bar. */
  goTo(page: string): Promise<void>;
  /** Presses the first button whose text begins so. */
  press(button: string): Promise<void>;
  /** Writes into the field with this label; without one, where the focus is. */
  write(text: string, label?: string): Promise<void>;
  /** Ranks all answers on the screen, in the order in which they stand, and stores that. */
  rank(numAnswers: number): Promise<void>;
}

const MAX_TABS = 200;

/** Tab, Enter, digits and letters: nothing is clicked. */
export function keyboard(page: Page): Hands {
  const { keyboard: keys } = page;
  const focusOn = async (kind: string, text: string) => {
    for (let i = 0; i < MAX_TABS; i++) {
      const focused = await page.evaluate((selector) => {
        const at = document.activeElement as HTMLInputElement | null;
        if (!at?.matches(selector)) return null;
        return (at.labels?.[0] ?? at).textContent.trim();
      }, kind);
      if (focused?.replace(/^⚑ /, "").startsWith(text)) return;
      await keys.press("Tab");
    }
    throw new Error(`Tab never comes to ${kind} "${text}"`);
  };
  return {
    async goTo(name) {
      await focusOn("nav a", name);
      await keys.press("Enter");
    },
    async press(button) {
      await focusOn("main button, dialog button", button);
      await keys.press("Enter");
    },
    async write(text, label) {
      if (label !== undefined) await focusOn("textarea", label);
      await keys.type(text);
    },
    async rank(numAnswers) {
      for (let i = 1; i <= numAnswers; i++) await keys.press(String(i));
      await keys.press("Enter");
    },
  };
}

/** Clicks, or touches where the page is on a touch screen; keys only write texts. */
export function pointer(page: Page, touch = false): Hands {
  const hit = (selector: string) => (touch ? page.tap(selector) : page.click(selector));
  return {
    goTo: (name) => hit(`nav a:text-is("${name}")`),
    press: (button) =>
      hit(
        `:is(dialog[open], body:not(:has(dialog[open])) main) button:has-text("${button}") >> nth=0`,
      ),
    async write(text, label) {
      if (label !== undefined) await hit(`label:has-text("${label}") textarea`);
      await page.keyboard.type(text);
    },
    async rank(numAnswers) {
      for (let i = 1; i <= numAnswers; i++) {
        await hit(`.answer-card >> nth=${i - 1} >> [aria-label="Rank ${i}"]`);
      }
      await hit('.rank-dock button:has-text("Submit")');
    },
  };
}
