// Rotary position embedding (Su et al. 2021), half-split pairs as in Hugging Face.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../rotary_table.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

INLINE void rotate_head(const float* x, int half, const float* angles, float sign, float* y) {
  for_lanes(half, [&](int i, int n) {
    const vf a = load_up_to(x + i, n), b = load_up_to(x + half + i, n);
    const vf c = load_up_to(angles + i, n), s = load_up_to(angles + half + i, n) * sign;
    store_up_to(y + i, a * c - b * s, n);
    store_up_to(y + half + i, b * c + a * s, n);
  });
}

static int position_limit(const int32_t* positions, int rows, int length) {
  if (!positions) return length;
  int limit = 0;
  for (int r = 0; r < rows; r++) limit = imax(limit, positions[r] + 1);
  return limit;
}

// Rotates the first `half` pairs of `heads` heads at the start of rows [begin, end); y may be x, else other
// dimensions are the caller's. length gives the default positions.
INLINE void rotate_range(const float* x, int begin, int end, size_t stride, int heads, int size, int half,
                         const int32_t* positions, int length, const float* table, bool inverse, float* y) {
  for (int r = begin; r < end; r++) {
    const int position = positions ? positions[r] : r % length;
    const float* angles = table + (size_t)position * 2 * (size_t)half;
    for (int h = 0; h < heads; h++) {
      const size_t at = (size_t)r * stride + (size_t)h * size;
      rotate_head(x + at, half, angles, inverse ? -1.f : 1.f, y + at);
    }
  }
}

static void rotary(const float* x, int rows, int heads, int head_size, const int32_t* positions,
                   Rope rope, bool inverse, float* y) {
  const size_t stride = (size_t)heads * head_size;
  const float* table = rotary_table(rope, position_limit(positions, rows, rows));
  parallel_rows(rows, 8u * stride, [&](int begin, int end) {
    if (2 * rope.pairs < head_size)
      memcpy(y + (size_t)begin * stride, x + (size_t)begin * stride, sizeof(float) * stride * (size_t)(end - begin));
    rotate_range(x, begin, end, stride, heads, head_size, rope.pairs, positions, rows, table, inverse, y);
  });
}

}  // namespace ISA
}  // namespace stagecraft
