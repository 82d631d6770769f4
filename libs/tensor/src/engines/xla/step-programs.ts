import { tf } from "../../tf.js";
import { composeDecoder, type BlockOperations } from "../blocks.js";
import type { DecoderWeights, StepResult, StepSampling, TokenFilters } from "../decoder.js";
import { logitsOf } from "../reference/decode-session.js";
import type { XlaBackend } from "./backend.js";
import { attendTables, type Tables } from "./cache-attention.js";
import { drawTokens, type Draws, type FilterValues } from "./draw.js";
import { partsOf, wholeOf } from "./exact-numbers.js";
import {
  binary,
  broadcast,
  compare,
  concat,
  convert,
  iota,
  reduce,
  reshape,
  select,
} from "./hlo.js";
import { loop } from "./loop.js";
import { Replay, type Recording } from "./replay.js";
import { roundUp } from "./rounding.js";
import { splat, type Value } from "./value.js";

/** A row's token that is not read yet. */
export interface LastToken {
  readonly slot: number;
  readonly id: number;
  readonly position: number;
}

export interface StepContext {
  readonly weights: DecoderWeights;
  readonly sampling: StepSampling;
  /** Of each layer, on the device. */
  readonly tables: readonly Tables[];
  /** Rows of the call, of which the last or some in between may be empty. */
  readonly numRows: number;
  /** Tokens that each row may get; 1 is a program without a loop. */
  readonly numTurns: number;
}

/** Sizes that a program is for. */
interface Sizes {
  /** Rows and turns. */
  readonly R: number;
  readonly K: number;
  /** Ids of a row's history; undefined without filters. */
  readonly H: number | undefined;
  readonly numSlots: number;
  readonly length: number;
}

/** Of ids, and as many where nobody has any: one program fewer. */
const MIN_HISTORY = 64;

/** Above it an Int32Array would keep another number. */
const MAX_INTEGER = 2 ** 31 - 1;

/** What the host gives a call. */
interface StepInputs {
  /** [R]; `limits` is 0 for padding. */
  readonly ids: Int32Array;
  readonly positions: Int32Array;
  readonly slots: Int32Array;
  readonly limits: Int32Array;
  readonly eosIds: Int32Array;
  readonly temperatures: Float32Array;
  /** [K, R] */
  readonly uniforms: Float32Array;
  readonly topK?: Int32Array;
  /** As `partsOf` gives them. */
  readonly topP?: Float32Array;
  readonly minP?: Float32Array;
  readonly penalty?: Float32Array;
  /** [R, H] */
  readonly history?: Int32Array;
}

/**
 * Decode steps that read a token of each row, draw the next one, read it, and so on, in one call. They are
 * recorded once for their sizes and then run again without being recorded: what a step costs on the host does not
 * depend on the model.
 */
export class StepPrograms {
  private readonly replays = new Map<string, Replay<keyof StepInputs>>();
  private weights: DecoderWeights | undefined;

  constructor(
    private readonly backend: XlaBackend,
    private readonly ops: BlockOperations,
  ) {}

  run(rows: readonly LastToken[], context: StepContext): StepResult {
    const sizes = sizesOf(rows, context);
    const { R, K } = sizes;
    const placeOf = (row: number) => (R === sizes.numSlots ? rows[row]!.slot : row);
    const inputs = inputsOf(rows, { sizes, sampling: context.sampling, placeOf });
    const [whole, logProbs] = this.replayOf(sizes, inputs, context).run(inputs) as [
      Int32Array,
      Float32Array,
    ];
    const numTokens = context.sampling.numTokens ?? 1;
    const result = {
      ids: new Int32Array(rows.length * numTokens),
      logProbs: new Float32Array(rows.length * numTokens),
      counts: new Int32Array(rows.length),
    };
    rows.forEach((_, row) => {
      const place = placeOf(row);
      result.counts[row] = whole[K * R + place]!;
      for (let k = 0; k < result.counts[row]!; k++) {
        result.ids[row * numTokens + k] = whole[k * R + place]!;
        result.logProbs[row * numTokens + k] = logProbs[k * R + place]!;
      }
    });
    return result;
  }

  private replayOf(sizes: Sizes, inputs: StepInputs, context: StepContext) {
    const { weights, tables } = context;
    if (weights !== this.weights) this.replays.clear(); // they read the tensors of before
    this.weights = weights;
    const key = JSON.stringify(sizes);
    const known = this.replays.get(key);
    if (known && !known.isStale) return known;
    const replay = new Replay(this.backend, inputs, (values) => {
      let recording: Recording | undefined;
      tf.tidy(() => {
        recording = this.record(sizes, values, { weights, tables });
      });
      return recording!;
    });
    this.replays.set(key, replay);
    return replay;
  }

  /** The results of a call: tokens with counts behind them [K + 1, R], log-probs [K, R]; and what tables become. */
  private record(
    sizes: Sizes,
    inputs: Record<keyof StepInputs, Value>,
    { weights, tables }: { weights: DecoderWeights; tables: readonly Tables[] },
  ): Recording {
    const { R, K } = sizes;
    const { limits, eosIds } = inputs;
    const uniforms = reshape(inputs.uniforms, [K, R]);
    const flat = tables.flatMap(({ keys, values }) => [keys, values]);
    const begin = {
      turn: splat([], "i32", 0),
      ids: inputs.ids,
      isLive: compare("GT", limits, splat([], "i32", 0)),
      counts: splat([R], "i32", 0),
      tokens: splat([K, R], "i32", 0),
      logProbs: splat([K, R], "f32", 0),
    };
    const turnOf = ([turn, ids, isLive, counts, tokens, logProbs, ...now]: readonly Value[]) => {
      const here = compare("EQ", iota([K, R], 0), turn!); // [K, R]
      const uniform = reduce("add", select(here, uniforms, splat([], "f32", 0)), [0]);
      const reach = {
        ids: ids!,
        isLive: isLive!,
        positions: binary("add", inputs.positions, turn!),
      };
      const after = this.read(sizes, { ...reach, slots: inputs.slots }, { weights, tables: now });
      const drawn = drawTokens(after.logits, drawsOf(inputs, uniform, sizes));
      const write = (to: Value, row: Value) =>
        select(binary("and", here, isLive!), broadcast(row, [K, R], [1]), to);
      const drawnCounts = binary("add", counts!, convert(isLive!, "i32"));
      const isOpen = [
        ...[isLive!, drawn.isFinite, compare("NE", drawn.ids, eosIds)],
        compare("LT", drawnCounts, limits),
      ].reduce((a, b) => binary("and", a, b));
      return [
        ...[binary("add", turn!, splat([], "i32", 1)), drawn.ids, isOpen, drawnCounts],
        ...[write(tokens!, drawn.ids), write(logProbs!, drawn.logProbs), ...after.tables],
      ];
    };
    const start = [...Object.values(begin), ...flat];
    const end =
      K === 1
        ? turnOf(start)
        : loop(start, { condition: ([, , isLive]) => reduce("or", isLive!, [0]), next: turnOf });
    const [, , , counts, tokens, logProbs, ...after] = end as [...Value[]];
    const whole = concat([tokens!, reshape(counts!, [1, R])], 0);
    return {
      results: [whole, logProbs!],
      replaced: flat.map((from, i) => ({ from, to: after[i]! })),
    };
  }

  /** Reads one token of each row that is live. */
  private read(
    { R, numSlots, length }: Sizes,
    { ids, isLive, positions, slots }: Record<"ids" | "isLive" | "positions" | "slots", Value>,
    { weights, tables: flat }: { weights: DecoderWeights; tables: readonly Value[] },
  ) {
    const { backend } = this;
    const places = {
      ...{ R, n: 1, positions },
      slots: select(isLive, slots, splat([], "i32", numSlots)),
      seen: R === numSlots ? undefined : slots,
    };
    const tables = weights.layers.map((_, i) => ({ keys: flat[2 * i]!, values: flat[2 * i + 1]! }));
    const attends = tables.map((layer) => attendTables(backend, layer, places));
    const layout = { batchSize: R, length: 1, positions: backend.standIn(positions, length - 1) };
    const given = backend.standIn(ids, 0);
    const hidden = composeDecoder(this.ops, given, weights, layout, { attends });
    const logits = backend.value(logitsOf(hidden, weights));
    return { logits, tables: tables.flatMap(({ keys, values }) => [keys, values]) };
  }
}

function sizesOf(rows: readonly LastToken[], { sampling, tables, ...about }: StepContext): Sizes {
  const { filters } = sampling;
  const [numSlots, , length] = tables[0]!.keys.shape as [number, number, number, number];
  const histories = filters?.map((row) => historyOf(row).length);
  const longest = histories && Math.max(0, ...histories);
  return {
    ...{ R: about.numRows, K: about.numTurns },
    H: longest === undefined ? undefined : roundUp(Math.max(longest, MIN_HISTORY)),
    ...{ numSlots, length },
  };
}

const historyOf = (row: TokenFilters | undefined) =>
  row && row.repetitionPenalty !== 1 ? row.history : [];

/** The rows' numbers at their places; places of nobody draw nothing. */
function inputsOf(
  rows: readonly LastToken[],
  about: { sizes: Sizes; sampling: StepSampling; placeOf: (row: number) => number },
): StepInputs {
  const { sizes, sampling, placeOf } = about;
  const { R, K, H } = sizes;
  const { numTokens = 1, limits, eosIds, temperatures, uniforms, filters } = sampling;
  const integers = (valueOf: (row: number) => number, empty = 0) => {
    const array = new Int32Array(R).fill(empty);
    rows.forEach((_, row) => (array[placeOf(row)] = valueOf(row)));
    return array;
  };
  const floats = (valueOf: (row: number) => number, empty: number) => {
    const array = new Float32Array(R).fill(empty);
    rows.forEach((_, row) => (array[placeOf(row)] = valueOf(row)));
    return array;
  };
  const doubles = (valueOf: (row: number) => number, empty: number) => {
    const array = new Float64Array(R).fill(empty);
    rows.forEach((_, row) => (array[placeOf(row)] = valueOf(row)));
    return partsOf(array);
  };
  const byTurn = new Float32Array(K * R);
  rows.forEach((_, row) => {
    for (let k = 0; k < numTokens; k++) {
      byTurn[k * R + placeOf(row)] = uniforms[row * numTokens + k]!;
    }
  });
  const inputs = {
    ids: integers((row) => rows[row]!.id),
    positions: integers((row) => rows[row]!.position),
    slots: integers((row) => rows[row]!.slot),
    limits: integers((row) => limits?.[row] ?? numTokens),
    eosIds: integers((row) => eosIds?.[row] ?? -1, -1),
    temperatures: floats((row) => temperatures[row]!, 1),
    uniforms: byTurn,
  };
  if (!filters || H === undefined) return inputs;
  const history = new Int32Array(R * H).fill(-1);
  rows.forEach((_, row) => history.set(historyOf(filters[row]), placeOf(row) * H));
  return {
    ...inputs,
    topK: integers((row) => Math.min(filters[row]?.topK ?? 0, MAX_INTEGER)),
    topP: doubles((row) => filters[row]?.topP ?? 1, 1),
    minP: doubles((row) => filters[row]?.minP ?? 0, 0),
    penalty: doubles((row) => filters[row]?.repetitionPenalty ?? 1, 1),
    history,
  };
}

function drawsOf(inputs: Record<keyof StepInputs, Value>, uniforms: Value, { R, H }: Sizes): Draws {
  const { temperatures, topK, topP, minP, penalty, history } = inputs;
  if (H === undefined) return { temperatures, uniforms, filters: undefined };
  const filters: FilterValues = {
    ...{ topK, topP: wholeOf(topP), minP: wholeOf(minP), penalty: wholeOf(penalty) },
    history: reshape(history, [R, H]),
  };
  return { temperatures, uniforms, filters };
}
