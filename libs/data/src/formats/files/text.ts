import { lastSafeCut } from "@stagecraft/tokenizer";
import type { Piece, TextFileFormat } from "./file-format.js";
import { readTextChunks } from "./text-stream.js";

/** Longer documents are handed over in pieces, so that a book does not have to fit in memory. */
const PIECE_CHARS = 1 << 20;

/** Plain text and Markdown: a file is one document, or several with a separator between them. */
export const textFiles: TextFileFormat = {
  name: "text",
  endings: [".txt", ".md"],
  readText(file, { separator, signal }) {
    return split(withLineFeeds(readTextChunks(file, signal)), separator?.replaceAll("\r\n", "\n"));
  },
};

/** CRLF is a line end like any other: each becomes a line feed, wherever the chunks end. */
async function* withLineFeeds(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let held = "";
  for await (const chunk of chunks) {
    const text = held + chunk;
    held = text.endsWith("\r") ? "\r" : "";
    yield text.slice(0, text.length - held.length).replaceAll("\r\n", "\n");
  }
  yield held;
}

async function* split(
  chunks: AsyncIterable<string>,
  separator: string | undefined,
): AsyncGenerator<Piece> {
  let rest = "";
  for await (const chunk of chunks) {
    rest += chunk;
    if (separator) {
      const documents = rest.split(separator);
      rest = documents.pop()!;
      for (const text of documents) yield { text, ends: true };
    }
    if (rest.length < PIECE_CHARS) continue;
    // What follows the cut may still hold the start of a separator.
    const cut = lastSafeCut(rest.slice(0, rest.length - (separator?.length ?? 0)));
    yield { text: rest.slice(0, cut), ends: false };
    rest = rest.slice(cut);
  }
  yield { text: rest, ends: true };
}
