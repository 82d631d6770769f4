// Vectors of the instruction set that this translation unit is compiled for, on the compilers' own
// vector types: GCC and Clang turn a * b + c into fused multiply-adds where the target has them.
// Included inside namespace ISA only; no std:: templates here, their inline copies would leak
// instructions of this set into code that runs on older machines.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace stagecraft {
namespace ISA {

#if defined(__AVX512F__)
constexpr int W = 16;                   // floats in a vector
constexpr int MAX_ROWS = 14, COLS = 2;  // the micro-tile (BLIS: MR × NR), 14 × 32 = 28 of 32 registers
#elif defined(__AVX2__)
constexpr int W = 8;
constexpr int MAX_ROWS = 6, COLS = 2;  // 6 × 16 = 12 of 16 registers
#elif defined(__aarch64__)
constexpr int W = 4;
constexpr int MAX_ROWS = 6, COLS = 4;  // 6 × 16 = 24 of 32 registers
#else
constexpr int W = 4;
constexpr int MAX_ROWS = 6, COLS = 2;  // 6 × 8 = 12 of 16 registers
#endif
constexpr int PANEL = COLS * W;  // columns of a packed micro-panel (BLIS: NR)

typedef float vf __attribute__((vector_size(W * 4)));
typedef int32_t vi __attribute__((vector_size(W * 4)));
typedef float vf_unaligned __attribute__((vector_size(W * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
INLINE void store(float* p, vf v) { *reinterpret_cast<vf_unaligned*>(p) = v; }
INLINE vf splat(float x) { return x - vf{}; }

INLINE vf load_first(const float* p, int n) {
#if defined(__AVX512F__)
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
  float lanes[W] = {};
  memcpy(lanes, p, sizeof(float) * (size_t)n);
  return load(lanes);
#endif
}

INLINE void store_first(float* p, vf v, int n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
  float lanes[W];
  store(lanes, v);
  memcpy(p, lanes, sizeof(float) * (size_t)n);
#endif
}

INLINE vf vmax(vf a, vf b) { return a > b ? a : b; }
INLINE vf vmin(vf a, vf b) { return a < b ? a : b; }

// Sums lanes pairwise, half against half: the same order for every instruction set of equal width.
INLINE float sum(vf v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);
#else
  float lanes[W];
  store(lanes, v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  return lanes[0];
#endif
}

INLINE float largest(vf v) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps((__m512)v);
#else
  float lanes[W];
  store(lanes, v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; i++) lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
  return lanes[0];
#endif
}

#if defined(__AVX512F__)
#define STAGECRAFT_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define STAGECRAFT_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif defined(__AVX2__)
#define STAGECRAFT_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define STAGECRAFT_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define STAGECRAFT_LOW 0, 4, 1, 5
#define STAGECRAFT_HIGH 2, 6, 3, 7
#endif

// Transposes W vectors of W lanes: log2(W) rounds that interleave row i with row i + W/2.
INLINE void transpose(vf rows[W]) {
#pragma GCC unroll 4
  for (int step = 1; step < W; step *= 2) {
    vf next[W];
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; i++) {
      next[2 * i] = __builtin_shufflevector(rows[i], rows[i + W / 2], STAGECRAFT_LOW);
      next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + W / 2], STAGECRAFT_HIGH);
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; i++) rows[i] = next[i];
  }
}

INLINE int imin(int a, int b) { return a < b ? a : b; }
INLINE int imax(int a, int b) { return a > b ? a : b; }
INLINE double vmin_double(double a, double b) { return a < b ? a : b; }
INLINE double vmax_double(double a, double b) { return a > b ? a : b; }
INLINE int ceil_div(int a, int b) { return (a + b - 1) / b; }

// body(i, n) for every vector of a row: its first element and how many of its lanes lie in the row.
template <class F>
INLINE void for_lanes(int width, const F& body) {
  for (int i = 0; i < width; i += W) body(i, imin(W, width - i));
}

INLINE vf load_up_to(const float* p, int n) { return n == W ? load(p) : load_first(p, n); }
INLINE void store_up_to(float* p, vf v, int n) {
  if (n == W)
    store(p, v);
  else
    store_first(p, v, n);
}

// e^r for |r| ≤ ln2 / 2.
INLINE vf exp_polynomial(vf r) {
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * (r * r) + r + 1.f;
}

INLINE vf exp_remainder(vf x, vf n) { return (x - n * 0.693359375f) - n * -2.12194440e-4f; }

// e^x: x = n·ln2 + r, degree-6 polynomial in r, scaled by 2^n; error below 2 ulp on the range
// that fp32 holds, 0 below it, +inf above it; NaN stays NaN. exp_between: for x outside of ±87 some value
// at least as far out as e^±87, for NaN anything.
#if defined(__AVX512F__)
INLINE vf vexp(vf x) {
  // max and min return their second operand when one is NaN, scalef saturates: no selects needed.
  const __m512 high = _mm512_max_ps(_mm512_set1_ps(-104.f), (__m512)x);
  const vf clamped = (vf)_mm512_min_ps(_mm512_set1_ps(89.f), high);
  const vf n = (vf)_mm512_roundscale_ps((__m512)(clamped * 1.44269504088896341f), 8);
  return (vf)_mm512_scalef_ps((__m512)exp_polynomial(exp_remainder(clamped, n)), (__m512)n);
}

INLINE vf exp_between(vf x) { return vexp(x); }
#else
// For x from ln of the smallest normal number to ln of the largest number: the result's exponent holds n.
INLINE vf exp_normal(vf x) {
  const vf shift = splat(12582912.f);  // 1.5·2^23: adding it rounds to an integer, in the lowest bits
  const vf shifted = x * 1.44269504088896341f + shift;
  return (vf)((vi)exp_polynomial(exp_remainder(x, shifted - shift)) + ((vi)shifted << 23));
}

INLINE vf exp_between(vf x) { return exp_normal(vmin(vmax(x, splat(-87.f)), splat(87.f))); }

INLINE vf vexp(vf x) {
  const float low = -87.33f, high = 88.72283f;  // subnormal results are not worth their cost
  const vf y = exp_normal(vmin(vmax(x, splat(low)), splat(high)));
  const vf small = x < low ? vf{} : y;
  return x <= high ? small : x + __builtin_inff();
}
#endif

}  // namespace ISA
}  // namespace stagecraft
