import type { TokenStream } from "../corpus/token-stream.js";

/** Stretches of the token streams that become rows or parts of rows, by number. */
export interface Stretches {
  /** Inputs of each stretch; it has one token more, which is only a target. */
  lengths: Int32Array;
  /** The stretches of each stream, in order. */
  groups: { first: number; count: number }[];
  /** The tokens of a stretch [lengths + 1]. */
  read(stretch: number): Int32Array;
}

/** Every document, long ones cut into stretches of at most `length` inputs. */
export function documentStretches(streams: readonly TokenStream[], length: number): Stretches {
  return collect(streams, (stream, add) => {
    const { documentStarts, numTokens } = stream;
    for (let d = 0; d < documentStarts.length; d++) {
      cut(documentStarts[d]!, documentStarts[d + 1] ?? numTokens, length, add);
    }
  });
}

/** Each stream in consecutive windows of `length` inputs; the last may be shorter. */
export function contiguousStretches(streams: readonly TokenStream[], length: number): Stretches {
  return collect(streams, ({ numTokens }, add) => cut(0, numTokens, length, add));
}

type Add = (start: number, length: number) => void;

/** The last token of a range has no successor, so it is a target only. */
function cut(start: number, end: number, length: number, add: Add): void {
  for (let at = start; at + 1 < end; at += length) add(at, Math.min(length, end - 1 - at));
}

function collect(
  streams: readonly TokenStream[],
  visit: (stream: TokenStream, add: Add) => void,
): Stretches {
  const starts: number[] = [];
  const lengths: number[] = [];
  const groups = streams.map((stream) => {
    const first = starts.length;
    visit(stream, (start, length) => {
      starts.push(start);
      lengths.push(length);
    });
    return { first, count: starts.length - first };
  });
  const streamOf = (stretch: number) =>
    streams[groups.findIndex(({ first, count }) => stretch < first + count)]!;
  return {
    lengths: Int32Array.from(lengths),
    groups,
    read: (stretch) => streamOf(stretch).read(starts[stretch]!, lengths[stretch]! + 1),
  };
}
