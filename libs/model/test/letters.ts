/** A tokenizer for tests: id 0 is the end token, id n the n-th letter of the alphabet. */
export const letters = {
  endIds: [0],
  hasToken: () => true,
  streamDecoder: () => ({
    push: (id: number) => (id === 0 ? "" : String.fromCharCode(96 + id)),
    flush: () => "",
  }),
};

/** The text that ids stand for. */
export function textOf(ids: ArrayLike<number>): string {
  const decoder = letters.streamDecoder();
  return Array.from(ids, (id) => decoder.push(id)).join("");
}
