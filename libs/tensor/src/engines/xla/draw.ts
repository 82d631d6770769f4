/** Drawing tokens within a program; sampling.ts of libs/model is the definition, tensor-native's sample.h the model. */
import {
  binary,
  broadcast,
  compare,
  concat,
  convert,
  gather,
  iota,
  reduce,
  reshape,
  scatter,
  select,
  unary,
} from "./hlo.js";
import { loop } from "./loop.js";
import { splat, type ElementType, type Value } from "./value.js";

/** What tokens may be drawn, [R] each; see TokenFilters. */
export interface FilterValues {
  readonly topK: Value;
  /** These three are f64: rounded, they would let other tokens pass. */
  readonly topP: Value;
  readonly minP: Value;
  readonly penalty: Value;
  /** [R, H] ids that the penalty is for; −1 is none. */
  readonly history: Value;
}

export interface Draws {
  /** [R] */
  readonly temperatures: Value;
  /** [R] in [0, 1). */
  readonly uniforms: Value;
  readonly filters: FilterValues | undefined;
}

const number = (value: number, type: ElementType = "f32") => splat([], type, value);
const integer = (value: number) => splat([], "i32", value);
const add = (a: Value, b: Value) => binary("add", a, b);
const subtract = (a: Value, b: Value) => binary("subtract", a, b);
const multiply = (a: Value, b: Value) => binary("multiply", a, b);
const and = (a: Value, b: Value) => binary("and", a, b);
/** [R] → [R, 1] */
const column = (x: Value) => reshape(x, [x.shape[0]!, 1]);
const wide = (x: Value) => convert(x, "f64");
const last = (x: Value) => x.shape.length - 1;
const count = (holds: Value) => reduce("add", convert(holds, "i32"), [last(holds)]);
const sum = (x: Value) => reduce("add", x, [last(x)]);
const most = (x: Value) => reduce("maximum", x, [last(x)]);

/** A token for each row of logits [R, V], and its log-prob under the temperature alone: NaN where they are not finite. */
export function drawTokens(logits: Value, { temperatures, uniforms, filters }: Draws) {
  const [R, V] = logits.shape as [number, number];
  const isGreedy = compare("LE", temperatures, number(0));
  const inverse = select(isGreedy, number(1), binary("divide", number(1), temperatures));
  const highest = most(logits);
  const weights = weightsOf(logits, highest, inverse);
  const total = sum(wide(weights));
  const seen = filters ? penalised(logits, filters) : logits;
  const best = filters ? most(seen) : highest;
  const allowed = filters ? filtered(weightsOf(seen, best, inverse), filters) : weights;
  const drawn = placeOf(allowed, (mass) => multiply(wide(uniforms), mass));
  const ids = select(isGreedy, firstOf(seen, best), drawn); // [R]
  const logit = sum(select(compare("EQ", iota([R, V], 1), column(ids)), logits, number(0)));
  const logProbs = subtract(
    multiply(subtract(logit, highest), inverse),
    convert(unary("log", total), "f32"),
  );
  const isFinite = and(
    unary("is_finite", total, "i1"),
    and(unary("is_finite", highest, "i1"), unary("is_finite", best, "i1")),
  );
  return { ids, logProbs: select(isFinite, logProbs, number(NaN)), isFinite };
}

/** e^((z − best)/T), [R, V]. */
const weightsOf = (logits: Value, best: Value, inverse: Value): Value =>
  unary("exponential", multiply(subtract(logits, column(best)), column(inverse)));

/** The first place of a value that each row has; 0 where it has none. */
function firstOf(x: Value, value: Value): Value {
  const V = x.shape[1]!;
  const places = select(compare("EQ", x, column(value)), iota(x.shape, 1), integer(V));
  const first = reduce("minimum", places, [1]);
  return select(compare("EQ", first, integer(V)), integer(0), first);
}

/**
 * The place in each row of weights [R, V] where their running sum passes a part of the sum, [R] of f64; at
 * the end of the row, the last whose weight is not 0. The sum runs over blocks, then within one.
 */
function placeOf(weights: Value, part: (sum: Value) => Value): Value {
  const [R, V] = weights.shape as [number, number];
  const size = 2 ** Math.ceil(Math.log2(V) / 2);
  const numBlocks = Math.ceil(V / size);
  const blocks = reshape(padded(weights, numBlocks * size), [R, numBlocks, size]);
  const sums = reduce("add", wide(blocks), [2]); // [R, numBlocks]
  const running = runningSum(sums);
  const total = sum(sums);
  const left = part(total);
  const block = passing(running, left, sums); // [R]
  const before = sum(
    select(compare("LT", iota(sums.shape, 1), column(block)), sums, number(0, "f64")),
  );
  const row = add(multiply(iota([R], 0), integer(numBlocks)), block);
  const inner = wide(gather(reshape(blocks, [R * numBlocks, size]), row, 0)); // [R, size]
  const place = passing(runningSum(inner), subtract(left, before), inner);
  return add(multiply(block, integer(size)), place);
}

function passing(running: Value, left: Value, weights: Value): Value {
  const some = compare("GT", weights, number(0, "f64"));
  const lastOfSome = most(select(some, iota(weights.shape, 1), integer(0)));
  return binary("minimum", count(compare("LE", running, column(left))), lastOfSome);
}

/** Along each row of [R, n]. */
function runningSum(x: Value): Value {
  const [R, n] = x.shape as [number, number];
  const shape = [R, n, n];
  const isBefore = compare("LE", iota([n, n], 1), iota([n, n], 0));
  const terms = select(
    broadcast(isBefore, shape, [1, 2]),
    broadcast(x, shape, [0, 2]),
    splat([], x.type, 0),
  );
  return reduce("add", terms, [2]);
}

function padded(x: Value, width: number): Value {
  const [R, V] = x.shape as [number, number];
  if (width === V) return x;
  return concat([x, splat([R, width - V], x.type, 0)], 1);
}

function penalised(logits: Value, { penalty, history }: FilterValues): Value {
  const [R, H] = history.shape as [number, number];
  const flat = (x: Value) => reshape(x, [R * H, 1]);
  const places = concat([flat(broadcast(iota([R], 0), [R, H], [0])), flat(history)], 1);
  const hits = scatter(splat(logits.shape, "i32", 0), places, splat([R * H], "i32", 1));
  const isUp = compare("GT", logits, number(0));
  const exact = wide(logits);
  const changed = select(
    isUp,
    binary("divide", exact, column(penalty)),
    multiply(exact, column(penalty)),
  );
  return select(compare("NE", hits, integer(0)), convert(changed, "f32"), logits);
}

/**
 * The weights that pass top-k, then top-p of what is left, then min-p, 0 in place of the others; among equal
 * ones the first pass. Weights are not sorted: the bits of the last that passes are searched for.
 */
function filtered(weights: Value, { topK, topP, minP }: FilterValues): Value {
  const [R, V] = weights.shape as [number, number];
  const bits = unary("bitcast_convert", weights, "i32"); // in the order of the weights, which are not negative
  const exact = wide(weights);
  const above = (limit: Value) => compare("GT", bits, column(limit));
  const massAbove = (limit: Value) => sum(select(above(limit), exact, number(0, "f64")));
  const valueOf = (limit: Value) => unary("bitcast_convert", limit, "f32");

  const isOff = compare("LE", topK, integer(0));
  const numKept = select(isOff, integer(V), binary("minimum", topK, integer(V)));
  const none = splat([R], "i32", -1);
  const kth = search(none, (limit) => compare("LT", count(above(limit)), numKept));
  const numTies = subtract(numKept, count(above(kth)));
  const tied = multiply(convert(numTies, "f64"), wide(valueOf(kth)));
  const limit = multiply(topP, add(massAbove(kth), tied));

  const hasTopP = compare("LT", topP, number(1, "f64"));
  const edge = search(subtract(kth, integer(1)), (at) => compare("LT", massAbove(at), limit));
  const missing = binary("divide", subtract(limit, massAbove(edge)), wide(valueOf(edge)));
  const least = convert(unary("ceil", missing), "i32");
  const isSame = compare("EQ", edge, kth);
  const tiesOfEdge = select(isSame, binary("minimum", least, numTies), least);
  const lightest = select(hasTopP, edge, kth);
  const ties = select(hasTopP, binary("maximum", tiesOfEdge, integer(1)), numTies);

  const isTie = compare("EQ", bits, column(lightest));
  const lastTie = placeOf(select(isTie, number(1), number(0)), () =>
    subtract(convert(ties, "f64"), number(0.5, "f64")),
  );
  const firstTies = and(isTie, compare("LE", iota([R, V], 1), column(lastTie)));
  const isHead = binary("or", above(lightest), firstTies);
  const byMinP = compare("LT", wide(valueOf(lightest)), minP); // the stricter limit
  const passes = select(column(byMinP), compare("GE", exact, column(minP)), isHead);
  return select(passes, weights, number(0));
}

/** Bits of a weight of 1, the largest there is. */
const BITS_OF_ONE = 0x3f80_0000;

/** The smallest bits in (low, bits of 1] for which `holds`, which does for all larger ones, [R]. */
function search(low: Value, holds: (limit: Value) => Value): Value {
  const high = splat(low.shape, "i32", BITS_OF_ONE);
  const isOpen = (a: Value, b: Value) => compare("GT", subtract(b, a), integer(1));
  const [, found] = loop([low, high], {
    condition: ([a, b]) => reduce("or", isOpen(a!, b!), [0]),
    next: ([a, b]) => {
      const middle = add(a!, binary("divide", subtract(b!, a!), integer(2)));
      const yes = holds(middle);
      return [select(yes, a!, middle), select(yes, middle, b!)];
    },
  });
  return found!;
}
