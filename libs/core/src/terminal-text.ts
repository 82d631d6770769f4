/** Everything that a terminal obeys instead of showing, line ends and tabs excepted; bidi overrides too. */
// eslint-disable-next-line no-control-regex
const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
/** Colours and weights as our own output uses them; no `hidden`, no cursor, no title. */
// eslint-disable-next-line no-control-regex
const COLOUR = /(\x1b\[(?:0|1|2|3|4|22|23|24|3[0-79]|9[0-7])m)/;

/**
 * Text that can be shown on a terminal whoever wrote it: control characters become `\u001b` and the
 * like, visible and without effect. In a line of JSON that is the same value, because JSON writes it so.
 * With `keepColours` plain colour codes stay, for text that we have coloured ourselves.
 */
export function terminalText(text: string, { keepColours = false } = {}): string {
  const unix = text.replaceAll("\r\n", "\n");
  if (!keepColours) return unix.replace(OBEYED, escaped);
  return unix
    .split(COLOUR)
    .map((part, i) => (i % 2 === 1 ? part : part.replace(OBEYED, escaped)))
    .join("");
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
