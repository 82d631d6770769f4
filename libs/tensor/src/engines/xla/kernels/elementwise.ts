import {
  binary,
  broadcastTo,
  commonShape,
  compare,
  convert,
  select,
  unary,
  type Direction,
} from "../hlo.js";
import { knownScalar, splat, Value, type ElementType } from "../value.js";

type Unary = (x: Value) => Value;

const number = (x: Value, value: number) => splat([], x.type, value);
const add = (a: Value, b: Value) => binary("add", a, b);
const subtract = (a: Value, b: Value) => binary("subtract", a, b);
const multiply = (a: Value, b: Value) => binary("multiply", a, b);
const divide = (a: Value, b: Value) => binary("divide", a, b);

/** e^x − 1 and ln(1 + x) of XLA keep their digits near 0. */
const softplus: Unary = (x) => {
  const small = unary("exponential", unary("negate", unary("abs", x)));
  return add(binary("maximum", x, number(x, 0)), unary("log_plus_one", small));
};

/** Abramowitz & Stegun 7.1.26, as TFJS has it; StableHLO has no erf. */
const erf: Unary = (x) => {
  const magnitude = unary("abs", x);
  const t = divide(number(x, 1), add(number(x, 1), multiply(magnitude, number(x, 0.3275911))));
  const terms = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const sum = terms.reduce<Value>(
    (rest, term) => multiply(add(rest, number(x, term)), t),
    number(x, 0),
  );
  const tail = multiply(sum, unary("exponential", unary("negate", multiply(x, x))));
  return multiply(unary("sign", x), subtract(number(x, 1), tail));
};

export const UNARY: Readonly<Record<string, Unary>> = {
  Abs: (x) => unary("abs", x),
  Ceil: (x) => unary("ceil", x),
  Cos: (x) => unary("cosine", x),
  Erf: erf,
  Exp: (x) => unary("exponential", x),
  Expm1: (x) => unary("exponential_minus_one", x),
  Floor: (x) => unary("floor", x),
  IsFinite: (x) => unary("is_finite", x, "i1"),
  IsNan: (x) => compare("NE", x, x),
  Log: (x) => unary("log", x),
  Log1p: (x) => unary("log_plus_one", x),
  LogicalNot: (x) => unary("not", x),
  Neg: (x) => unary("negate", x),
  Reciprocal: (x) => divide(number(x, 1), x),
  Relu: (x) => select(compare("NE", x, x), x, binary("maximum", x, number(x, 0))),
  Rsqrt: (x) => unary("rsqrt", x),
  Sigmoid: (x) => unary("logistic", x),
  Sign: (x) => unary("sign", x),
  Sin: (x) => unary("sine", x),
  Softplus: softplus,
  Sqrt: (x) => unary("sqrt", x),
  Square: (x) => multiply(x, x),
  Tanh: (x) => unary("tanh", x),
};

type Binary = (a: Value, b: Value) => Value;

export const BINARY: Readonly<Record<string, Binary>> = {
  Add: folded((a, b) => a + b, summed("add")),
  Sub: folded((a, b) => a - b, summed("subtract")),
  Multiply: folded((a, b) => a * b, summed("multiply")),
  RealDiv: folded(
    (a, b) => a / b,
    (a, b) => divide(convert(a, "f32"), convert(b, "f32")),
  ),
  Maximum: extreme("maximum"),
  Minimum: extreme("minimum"),
  Pow: power,
  SquaredDifference: (a, b) => {
    const difference = subtract(a, b);
    return multiply(difference, difference);
  },
  LogicalAnd: summed("and"),
  LogicalOr: summed("or"),
  ...Object.fromEntries(
    Object.entries({
      ...{ Equal: "EQ", NotEqual: "NE", Greater: "GT" },
      ...{ GreaterEqual: "GE", Less: "LT", LessEqual: "LE" },
    } satisfies Record<string, Direction>).map(([kernel, direction]) => [
      kernel,
      (a: Value, b: Value) => compare(direction, a, b),
    ]),
  ),
};

/** Of numbers of one type; booleans count as integers where they are added. */
function summed(name: string): Binary {
  return (a, b) => {
    const type: ElementType =
      a.type === "f32" || b.type === "f32" ? "f32" : a.type === b.type ? a.type : "i32";
    const counts = type === "i1" && name !== "and" && name !== "or" ? "i32" : type;
    return binary(name, convert(a, counts), convert(b, counts));
  };
}

/** NaN where one is NaN: XLA's CPU compiler does not keep that by itself. */
function extreme(name: "maximum" | "minimum"): Binary {
  return (a, b) => {
    const known = select(compare("NE", b, b), b, summed(name)(a, b));
    return select(compare("NE", a, a), a, known);
  };
}

/** Two numbers that the host knows make a third: an exponent less one stays a known number. */
function folded(onHost: (a: number, b: number) => number, onDevice: Binary): Binary {
  return (a, b) => {
    const [x, y] = [knownScalar(a), knownScalar(b)];
    const isPlain = a.type === "f32" && b.type === "f32" && a.shape.length + b.shape.length === 0;
    if (!isPlain || x === undefined || y === undefined) return onDevice(a, b);
    const array = Float32Array.of(onHost(x, y));
    return new Value([], "f32", { kind: "host", array });
  };
}

/** Small whole exponents are products, as exact as a library's and far cheaper. */
function power(a: Value, b: Value): Value {
  const exponent = knownScalar(b);
  const shape = commonShape(a.shape, b.shape);
  switch (exponent) {
    case 1:
      return broadcastTo(a, shape);
    case 2:
      return broadcastTo(multiply(a, a), shape);
    case 3:
      return broadcastTo(multiply(multiply(a, a), a), shape);
    case undefined:
      return binary("power", a, b);
    default:
      return binary("power", a, splat(b.shape, a.type, exponent));
  }
}

/** 0 below and at 0 … alpha there; NaN stays. */
export function step(x: Value, alpha: number): Value {
  const above = select(compare("GT", x, number(x, 0)), number(x, 1), number(x, alpha));
  return select(compare("NE", x, x), x, above);
}

export function clip(x: Value, min: number, max: number): Value {
  const bounded = binary("minimum", binary("maximum", x, number(x, min)), number(x, max));
  return select(compare("NE", x, x), x, bounded);
}
