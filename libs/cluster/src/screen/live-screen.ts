import type { Writable } from "node:stream";
import colors from "picocolors";
import { rawStream, terminalText } from "@stagecraft/core";
import type { ScreenSize } from "./render.js";

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_REST_OF_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** The whole terminal, drawn again and again; what stood there before comes back at the end. */
export interface LiveScreen {
  draw(lines: readonly string[]): void;
  size(): ScreenSize;
  close(): void;
}

/** Takes over a terminal until closed. */
export function openLiveScreen(stream: Writable): LiveScreen {
  const out = rawStream(stream);
  out.write(ENTER);
  let isOpen = true;
  const terminal = out as Partial<NodeJS.WriteStream>;
  return {
    draw(lines) {
      if (!isOpen) return;
      const keepColours = colors.isColorSupported;
      const safe = lines.map((line) => terminalText(line, { keepColours }));
      const text = safe.map((line) => `${line}${CLEAR_REST_OF_LINE}`).join("\n");
      out.write(`${HOME}${text}${CLEAR_BELOW}`);
    },
    size: () => ({
      columns: terminal.columns ?? 100,
      rows: terminal.rows ?? 40,
    }),
    close() {
      if (isOpen) out.write(LEAVE);
      isOpen = false;
    },
  };
}
