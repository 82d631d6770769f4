// RMSNorm and LayerNorm over rows, forward and backward.
#pragma once
#include <cstddef>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

constexpr int REDUCE_ROWS = 64;  // rows summed into one partial result

INLINE void norm_stats(const float* x, int width, const Norm& norm, float* stats) {
  float mean = 0;
  if (norm.layer) {
    vf total = {};
    for_lanes(width, [&](int i, int n) { total += load_up_to(x + i, n); });
    mean = sum(total) / (float)width;
  }
  vf squares = {};
  for_lanes(width, [&](int i, int n) {
    vf v = load_up_to(x + i, n) - mean;
    if (n < W) {  // lanes past the end hold −mean
      float lanes[W];
      store(lanes, v);
      for (int j = n; j < W; j++) lanes[j] = 0;
      v = load(lanes);
    }
    squares += v * v;
  });
  stats[0] = 1.f / __builtin_sqrtf(sum(squares) / (float)width + norm.eps);
  stats[1] = mean;
}

INLINE vf normal_of(const float* x, int i, int n, const Norm& norm, const float* stats) {
  const vf v = (load_up_to(x + i, n) - stats[1]) * stats[0] * load_up_to(norm.weight + i, n);
  return norm.bias ? v + load_up_to(norm.bias + i, n) : v;
}

// Rows normalised one after the other; writes their statistics.
INLINE void norm_range(const float* x, int rows, int width, const Norm& norm, float* y, float* stats) {
  for (int r = 0; r < rows; r++) {
    const float* row = x + (size_t)r * width;
    float *to = y + (size_t)r * width, *row_stats = stats + (size_t)r * NORM_STATS;
    norm_stats(row, width, norm, row_stats);
    for_lanes(width, [&](int i, int n) { store_up_to(to + i, normal_of(row, i, n, norm, row_stats), n); });
  }
}

static void norm_rows(const float* x, int rows, int width, const Norm& norm, float* y, float* stats) {
  parallel_rows(rows, 8u * (size_t)width, [&](int begin, int end) {
    const size_t at = (size_t)begin * width;
    norm_range(x + at, end - begin, width, norm, y + at, stats + (size_t)begin * NORM_STATS);
  });
}

// One row of the backward pass; adds to the sums for the weight's and the bias's gradients.
INLINE void norm_grad_row(const float* x, int width, const Norm& norm, const float* stats,
                          const float* dy, const float* residual, float* dx, float* dweight,
                          float* dbias) {
  const float scale = stats[0], mean = stats[1];
  vf dot = {}, total = {};
  for_lanes(width, [&](int i, int n) {
    const vf normal = (load_up_to(x + i, n) - mean) * scale, g = load_up_to(dy + i, n);
    const vf scaled = g * load_up_to(norm.weight + i, n);
    store_up_to(dweight + i, load_up_to(dweight + i, n) + g * normal, n);
    if (dbias) store_up_to(dbias + i, load_up_to(dbias + i, n) + g, n);
    dot += scaled * normal;
    total += scaled;
  });
  const float along = sum(dot) / (float)width, shift = norm.layer ? sum(total) / (float)width : 0.f;
  for_lanes(width, [&](int i, int n) {
    const vf normal = (load_up_to(x + i, n) - mean) * scale;
    vf v = (load_up_to(dy + i, n) * load_up_to(norm.weight + i, n) - shift - normal * along) * scale;
    if (residual) v += load_up_to(residual + i, n);
    store_up_to(dx + i, v, n);
  });
}

// to[i] = Σ over parts of partial[part][i], in the order of the parts.
static void sum_parts(const float* partial, int parts, int width, size_t stride, float* to) {
  for_lanes(width, [&](int i, int n) {
    vf total = {};
    for (int part = 0; part < parts; part++) total += load_up_to(partial + (size_t)part * stride + i, n);
    store_up_to(to + i, total, n);
  });
}

// dx = residual + norm'(dy); residual may be null.
static void norm_grad_rows(const float* x, int rows, int width, const Norm& norm, const float* stats,
                           const float* dy, const float* residual, float* dx, const NormGrad& grad) {
  Scratch scratch;
  const int parts = ceil_div(rows, REDUCE_ROWS);
  float* partial = scratch.floats((size_t)parts * 2 * (size_t)width);
  parallel(parts, [&](int part) {
    float* dweight = partial + (size_t)part * 2 * (size_t)width;
    memset(dweight, 0, sizeof(float) * 2 * (size_t)width);
    const int end = imin(rows, (part + 1) * REDUCE_ROWS);
    for (int r = part * REDUCE_ROWS; r < end; r++) {
      const size_t at = (size_t)r * width;
      norm_grad_row(x + at, width, norm, stats + (size_t)r * NORM_STATS, dy + at,
                    residual ? residual + at : nullptr, dx + at, dweight,
                    grad.bias ? dweight + width : nullptr);
    }
  });
  sum_parts(partial, parts, width, 2 * (size_t)width, grad.weight);
  if (grad.bias) sum_parts(partial + width, parts, width, 2 * (size_t)width, grad.bias);
}

static void norm_forward(const float* x, int rows, int width, Norm norm, float* y, float* stats) {
  norm_rows(x, rows, width, norm, y, stats);
}

static void norm_backward(const float* x, int rows, int width, Norm norm, const float* stats,
                          const float* dy, float* dx, NormGrad grad) {
  norm_grad_rows(x, rows, width, norm, stats, dy, nullptr, dx, grad);
}

}  // namespace ISA
}  // namespace stagecraft
