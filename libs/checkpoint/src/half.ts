const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** IEEE 754 binary16 → float32, exact. */
export function widenF16(
  halves: Uint16Array,
  widened: Float32Array = new Float32Array(halves.length),
): Float32Array {
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const exponent = (half >>> 10) & 0x1f;
    const fraction = half & 0x3ff;
    const sign = half & 0x8000 ? -1 : 1;
    if (exponent === 0) widened[i] = sign * fraction * 2 ** -24;
    else if (exponent === 31) widened[i] = fraction ? NaN : sign * Infinity;
    else widened[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return widened;
}

/** bfloat16 → float32, exact: the upper half of the float's bits. */
export function widenBF16(
  halves: Uint16Array,
  widened: Float32Array = new Float32Array(halves.length),
): Float32Array {
  const bits = new Uint32Array(widened.buffer, widened.byteOffset, widened.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return widened;
}

/** float32 → binary16, round to nearest even; beyond 65504 becomes infinity. */
export function narrowF16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, toF16);
}

/** float32 → bfloat16, round to nearest even. */
export function narrowBF16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const narrowed = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const each = bits[i]!;
    const isNaN = (each & 0x7fffffff) > 0x7f800000;
    narrowed[i] = isNaN ? 0x7fc0 : (each + 0x7fff + ((each >>> 16) & 1)) >>> 16;
  }
  return narrowed;
}

function toF16(value: number): number {
  const bits = bitsOf(value);
  const sign = (bits >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  const exponent = Math.floor(((bits & 0x7fffffff) >>> 23) - 127);
  // A fraction that rounds up to 1024 carries into the exponent by plain addition.
  const fraction = roundToEven((magnitude / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + fraction);
}

function bitsOf(value: number): number {
  floatView[0] = value;
  return bitsView[0]!;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
