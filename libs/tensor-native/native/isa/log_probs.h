// Log-probabilities of target tokens and entropies without the [tokens, vocabulary] logits: tiles of
// them are computed, reduced online, and computed again in the backward pass. Rows without a target
// are left out of every product.
#pragma once
#include <cstddef>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "elementwise.h"
#include "gemm.h"
#include "linear.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

constexpr int VOCAB_TILE = 1024;  // columns of a forward tile; a multiple of every PANEL
constexpr int GRAD_ROWS = 2048, GRAD_COLUMNS = 512;

// Running softmax of one row: max, Σ e^(z − max), Σ z·e^(z − max).
struct RowSum {
  float top, total, weighted;
};

// c·tanh(z/c) in place of z
INLINE void cap_logits(float* z, int count, float cap) {
  for_lanes(count, [&](int i, int n) { store_up_to(z + i, cap * tanh_of(load_up_to(z + i, n) * (1.f / cap)), n); });
}

INLINE void add_logits(RowSum* row, float* z, int count, float inverse_temperature) {
  vf most = splat(row->top);
  for_lanes(count, [&](int i, int n) {
    vf v = load_up_to(z + i, n) * inverse_temperature;
    store_up_to(z + i, v, n);
    if (n < W) {
      float lanes[W];
      store(lanes, v);
      for (int j = n; j < W; j++) lanes[j] = row->top;
      v = load(lanes);
    }
    most = vmax(most, v);
  });
  const float top = largest(most);
  const float keep = row->total > 0 ? vexp(splat(row->top - top))[0] : 0.f;
  vf total = {}, weighted = {};
  for_lanes(count, [&](int i, int n) {
    const vf v = load_up_to(z + i, n);
    vf e = vexp(v - top);
    if (n < W) {
      float lanes[W];
      store(lanes, e);
      for (int j = n; j < W; j++) lanes[j] = 0;
      e = load(lanes);
    }
    total += e;
    weighted += e * v;
  });
  row->total = row->total * keep + sum(total);
  row->weighted = row->weighted * keep + sum(weighted);
  row->top = top;
}

// Rows that have a target: their numbers, and their hidden states side by side.
struct ActiveRows {
  int count;
  int* rows;
  const float* hidden;
};

static ActiveRows active_rows(Scratch& scratch, const TokenLogProbs& p) {
  ActiveRows active{0, scratch.ints((size_t)p.rows + 1), p.hidden};
  for (int r = 0; r < p.rows; r++)
    if (p.targets[r] >= 0) active.rows[active.count++] = r;
  if (active.count == p.rows) return active;
  float* hidden = scratch.floats((size_t)active.count * (size_t)p.width + 1);
  for (int i = 0; i < active.count; i++)
    memcpy(hidden + (size_t)i * p.width, p.hidden + (size_t)active.rows[i] * p.width,
           sizeof(float) * (size_t)p.width);
  active.hidden = hidden;
  return active;
}

static void token_log_probs(const TokenLogProbs& p) {
  Scratch scratch;
  memset(p.log_probs, 0, sizeof(float) * (size_t)p.rows);
  memset(p.entropy, 0, sizeof(float) * (size_t)p.rows);
  memset(p.lse, 0, sizeof(float) * (size_t)p.rows);
  const ActiveRows active = active_rows(scratch, p);
  const float* packed = packed_weights(scratch, stack_of(p.weight, p.vocab, p.width));
  const int tiles = ceil_div(active.count, MAX_ROWS);
  const int per_task = imax(1, imin(6, ceil_div(tiles, 4 * 4)));
  const Operand a = rows_of(active.hidden, p.width);
  parallel(ceil_div(tiles, per_task), [&](int task) {
    Scratch local;
    const int tile1 = imin(tiles, (task + 1) * per_task);
    const int row0 = tile_start(active.count, tiles, task * per_task);
    const int row1 = tile_start(active.count, tiles, tile1);
    const int stride = imin(VOCAB_TILE, ceil_div(p.vocab, PANEL) * PANEL);
    float* z = local.floats((size_t)(row1 - row0) * (size_t)stride);
    RowSum sums[6 * MAX_ROWS];
    for (int r = 0; r < row1 - row0; r++) sums[r] = {-3e38f, 0, 0};
    for (int v0 = 0; v0 < p.vocab; v0 += VOCAB_TILE) {
      const int count = imin(VOCAB_TILE, p.vocab - v0);
      for (int k0 = 0; k0 < p.width; k0 += BLOCK_K)
        for (int v = v0; v < v0 + count; v += PANEL) {
          const float* b = packed + (size_t)v * (size_t)p.width + (size_t)k0 * PANEL;
          for (int t = task * per_task; t < tile1; t++) {
            const int row = tile_start(active.count, tiles, t);
            const int rows = tile_start(active.count, tiles, t + 1) - row;
            float* to = z + (size_t)(row - row0) * (size_t)stride + (v - v0);
            run_micro_kernel(rows, imin(BLOCK_K, p.width - k0), a, row, k0, b,
                     k0 ? accumulate(to, stride) : plain(to, stride), PANEL);
          }
        }
      for (int r = row0; r < row1; r++) {
        float* row = z + (size_t)(r - row0) * (size_t)stride;
        if (p.softcap > 0) cap_logits(row, count, p.softcap);
        add_logits(&sums[r - row0], row, count, 1.f / p.temperature);
        const int target = p.targets[active.rows[r]] - v0;
        if (target >= 0 && target < count) p.log_probs[active.rows[r]] = row[target];
      }
    }
    for (int r = row0; r < row1; r++) {
      const RowSum& row = sums[r - row0];
      const int at = active.rows[r];
      p.lse[at] = row.top + __builtin_logf(row.total);
      p.log_probs[at] -= p.lse[at];
      p.entropy[at] = p.lse[at] - row.weighted / row.total;
    }
  });
}

// ∂/∂z of dlogp·(z_target − lse) + dH·H, over T: ((target ? dlogp : 0) − p·(dlogp + dH·(log p + H)))/T
INLINE void logit_grads(float* z, int count, float inverse_temperature, float lse, float entropy,
                        float d_log_prob, float d_entropy) {
  for_lanes(count, [&](int i, int n) {
    const vf log_p = load_up_to(z + i, n) * inverse_temperature - lse;
    const vf g = vexp(log_p) * (d_log_prob + d_entropy * (log_p + entropy));
    store_up_to(z + i, -g * inverse_temperature, n);
  });
}

// Caps z, and what its gradient is to be multiplied by.
static float* cap_slopes(Scratch& scratch, float* z, int count, float cap) {
  float* slopes = scratch.floats((size_t)count);
  cap_logits(z, count, cap);
  for_lanes(count, [&](int i, int n) {
    const vf t = load_up_to(z + i, n) * (1.f / cap);
    store_up_to(slopes + i, 1.f - t * t, n);
  });
  return slopes;
}

INLINE void multiply_by(float* z, int count, const float* factors) {
  for_lanes(count, [&](int i, int n) { store_up_to(z + i, load_up_to(z + i, n) * load_up_to(factors + i, n), n); });
}

// Rows [r0, r1) of the active ones against the whole vocabulary, a tile of columns at a time.
static void log_prob_grad_rows(const TokenLogProbs& p, const TokenLogProbsGrad& g, const ActiveRows& active,
                               int r0, int r1, const float* packed, float* d_hidden) {
  Scratch scratch;
  const int rows = r1 - r0;
  float* z = scratch.floats((size_t)rows * GRAD_COLUMNS);
  const float* hidden = active.hidden + (size_t)r0 * p.width;
  float* packed_z = g.d_weight ? scratch.floats(packed_size(imin(GRAD_COLUMNS, p.vocab), rows)) : nullptr;
  const float* packed_hidden = g.d_weight ? packed_rows(scratch, hidden, rows, p.width) : nullptr;
  for (int v0 = 0; v0 < p.vocab; v0 += GRAD_COLUMNS) {
    Scratch tile_scratch;
    const int count = imin(GRAD_COLUMNS, p.vocab - v0);
    multiply({rows, count, p.width, rows_of(hidden, p.width), packed + (size_t)v0 * (size_t)p.width,
              plain(z, GRAD_COLUMNS)});
    parallel_rows(rows, 4u * (size_t)count, [&](int begin, int end) {
      for (int r = begin; r < end; r++) {
        const int at = active.rows[r0 + r];
        float* row = z + (size_t)r * GRAD_COLUMNS;
        float* slopes = nullptr;
        Scratch own;
        if (p.softcap > 0) slopes = cap_slopes(own, row, count, p.softcap);
        logit_grads(row, count, 1.f / p.temperature, p.lse[at], p.entropy[at], g.d_log_probs[at],
                    g.d_entropy ? g.d_entropy[at] : 0.f);
        const int target = p.targets[at] - v0;
        if (target >= 0 && target < count) row[target] += g.d_log_probs[at] / p.temperature;
        if (slopes) multiply_by(row, count, slopes);
        if (packed_z) pack_row(packed_z, rows, r, row, count);
      }
    });
    const float* weight = p.weight + (size_t)v0 * (size_t)p.width;
    const Output to_hidden = v0 ? accumulate(d_hidden, p.width) : plain(d_hidden, p.width);
    const Product hidden_grad{rows, p.width, count, rows_of(z, GRAD_COLUMNS),
                              packed_weights_back(tile_scratch, stack_of(weight, count, p.width)), to_hidden};
    if (!g.d_weight) {
      multiply(hidden_grad);
      continue;
    }
    float* d_weight = g.d_weight + (size_t)v0 * (size_t)p.width;
    const Product products[] = {
        hidden_grad,
        {count, p.width, rows, panels_of(packed_z, rows), packed_hidden,
         r0 ? accumulate(d_weight, p.width) : plain(d_weight, p.width)},
    };
    multiply(products, 2);
  }
}

static void token_log_probs_grad(const TokenLogProbs& p, const TokenLogProbsGrad& g) {
  Scratch scratch;
  const ActiveRows active = active_rows(scratch, p);
  const bool gathered = active.count != p.rows;
  const size_t size = (size_t)p.rows * (size_t)p.width;
  float* d_hidden = gathered ? scratch.floats(size + 1) : g.d_hidden;
  if (active.count == 0 && g.d_weight) memset(g.d_weight, 0, sizeof(float) * (size_t)p.vocab * (size_t)p.width);
  const float* packed = packed_weights(scratch, stack_of(p.weight, p.vocab, p.width));
  for (int r0 = 0; r0 < active.count; r0 += GRAD_ROWS)
    log_prob_grad_rows(p, g, active, r0, imin(active.count, r0 + GRAD_ROWS), packed,
                       d_hidden + (size_t)r0 * p.width);
  if (!gathered) return;
  memset(g.d_hidden, 0, sizeof(float) * size);
  for (int i = 0; i < active.count; i++)
    memcpy(g.d_hidden + (size_t)active.rows[i] * p.width, d_hidden + (size_t)i * p.width,
           sizeof(float) * (size_t)p.width);
}

}  // namespace ISA
}  // namespace stagecraft
