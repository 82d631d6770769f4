// Causal attention within segments, forward and backward, one task per sequence and key head. The
// scores of a block of query rows are all that is ever held; the backward pass recomputes them from
// q, k and the row's log-sum-exp (Dao et al. 2022).
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "elementwise.h"
#include "gemm.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

constexpr int QUERY_TILES = 4;
constexpr int QUERY_ROWS = QUERY_TILES * MAX_ROWS;

INLINE vi iota() {
  vi lanes;
  for (int i = 0; i < W; i++) lanes[i] = i;
  return lanes;
}

INLINE vf select(vi mask, vf a, vf b) { return mask ? a : b; }
INLINE vi load_ints(const int32_t* p) {
  vi v;
  memcpy(&v, p, sizeof v);
  return v;
}

// scores[begin, end) → c·tanh(scale·s / c)
INLINE void cap_scores(float* scores, int begin, int end, const Scores& how) {
  for (int j = begin; j < end; j += W)
    store(scores + j, how.softcap * tanh_of(load(scores + j) * (how.scale / how.softcap)));
}

// Turns scores[begin, end) into exp(scale·s − scale·max), zero where the segment differs, before `first` or
// past `last`; returns the sum, and scale·max in *top. begin and end are multiples of W.
INLINE float masked_exp(float* scores, int begin, int end, int first, int last, const int32_t* segments,
                        int32_t segment, float scale, float* top) {
  const vi lane = iota();
  vf most = splat(-3e38f);
  for (int j = begin; j <= last; j += W) {
    const vi seen = (load_ints(segments + j) == segment) & (lane + j <= last) & (lane + j >= first);
    most = vmax(most, select(seen, load(scores + j), splat(-3e38f)));
  }
  const float highest = largest(most) * scale;
  vf total = {};
  int j = begin;
  for (; j <= last; j += W) {
    const vi seen = (load_ints(segments + j) == segment) & (lane + j <= last) & (lane + j >= first);
    const vf p = select(seen, vexp(load(scores + j) * scale - highest), vf{});
    store(scores + j, p);
    total += p;
  }
  for (; j < end; j += W) store(scores + j, vf{});
  *top = highest;
  return sum(total);
}

// What a sequence's masks look like to the kernels: padded segment numbers and, for every row, the
// first row of its segment.
struct Mask {
  int32_t* segments;
  int* first;
};

static Mask make_mask(Scratch& scratch, const int32_t* segments, int length) {
  Mask mask{scratch.ints((size_t)length + PANEL), scratch.ints((size_t)length)};
  for (int t = 0; t < length; t++) {
    const int32_t segment = mask.segments[t] = segments ? segments[t] : 1;
    if (t > 0 && segment == mask.segments[t - 1]) {
      mask.first[t] = mask.first[t - 1];  // the usual case: documents lie one after the other
      continue;
    }
    int first = 0;
    while (mask.segments[first] != segment) first++;
    mask.first[t] = first;
  }
  for (int t = length; t < length + PANEL; t++) mask.segments[t] = -1;
  return mask;
}

// The first key that a row sees whose segment begins at `first`.
INLINE int first_key_of(const Scores& how, int first, int row) {
  return how.window > 0 ? imax(first, row - how.window + 1) : first;
}

// out[rows] = A[rows][k0, k1) · packed, for register tiles of query rows that see keys up to
// their own last row only.
INLINE void scores_tile(const Operand& q, int row, int rows, int size, const float* keys, int first_key,
                        int end_key, float* scores, int stride) {
  for (int panel = first_key / PANEL; panel * PANEL < end_key; panel++) {
    const Output out = plain(scores + panel * PANEL, stride);
    run_micro_kernel(rows, size, q, row, 0, keys + (size_t)panel * PANEL * size, out, PANEL);
  }
}

// One head: rows [0, rows) of q are positions first_row + r of the sequence.
struct HeadView {
  Operand q;
  int rows, first_row, size;
  const float* keys;    // packed [panel of keys][size][PANEL]
  const float* values;  // packed [panel of dims][value_length][PANEL]
  int value_length;
  const int32_t* segments;  // of the keys, readable one vector beyond
  const int* first;         // per key: where its segment starts
  Scores how;
  float* out;
  size_t out_stride;
  float* lse;  // may be null
  size_t lse_stride;
};

INLINE int first_seen(const HeadView& head, int row) {
  const int position = head.first_row + row;
  return first_key_of(head.how, head.first[position], position);
}

static void attend(const HeadView& head) {
  Scratch scratch;
  const int last_key = head.first_row + head.rows;
  const int stride = ceil_div(last_key, PANEL) * PANEL;
  float* scores = scratch.floats((size_t)MAX_ROWS * (size_t)stride);
  const int tiles = ceil_div(head.rows, MAX_ROWS);
  for (int t = 0; t < tiles; t++) {
    const int row = tile_start(head.rows, tiles, t), rows = tile_start(head.rows, tiles, t + 1) - row;
    const int end = head.first_row + row + rows;
    int begin = end;
    for (int r = 0; r < rows; r++) begin = imin(begin, first_seen(head, row + r));
    const int begin_lane = begin / W * W, end_lane = ceil_div(end, W) * W;
    scores_tile(head.q, row, rows, head.size, head.keys, begin, end, scores, stride);
    float totals[MAX_ROWS];
    for (int r = 0; r < rows; r++) {
      const int position = head.first_row + row + r;
      const int32_t segment = head.segments[position];
      float top = 0;
      totals[r] = 0;
      if (segment != 0) {
        float* own = scores + (size_t)r * stride;
        if (head.how.softcap > 0) cap_scores(own, begin_lane, end_lane, head.how);
        totals[r] = masked_exp(own, begin_lane, end_lane, first_seen(head, row + r), position, head.segments,
                               segment, head.how.softcap > 0 ? 1.f : head.how.scale, &top);
      } else {
        memset(scores + (size_t)r * stride + begin_lane, 0, sizeof(float) * (size_t)(end_lane - begin_lane));
      }
      if (head.lse)
        head.lse[(size_t)(row + r) * head.lse_stride] = segment != 0 ? top + __builtin_logf(totals[r]) : 0.f;
    }
    for (int panel = 0; panel * PANEL < head.size; panel++) {
      const int col = panel * PANEL;
      float* out = head.out + (size_t)row * head.out_stride + col;
      run_micro_kernel(rows, end - begin, rows_of(scores, stride), 0, begin,
               head.values + ((size_t)panel * (size_t)head.value_length + begin) * PANEL,
               plain(out, (int)head.out_stride), head.size - col);
    }
    for (int r = 0; r < rows; r++) {
      const float inverse = totals[r] > 0 ? 1.f / totals[r] : 0.f;
      float* out = head.out + (size_t)(row + r) * head.out_stride;
      for_lanes(head.size, [&](int i, int n) { store_up_to(out + i, load_up_to(out + i, n) * inverse, n); });
    }
  }
}

// Keys as B of q·kᵀ, values as B of p·v (or the other way round in the backward pass).
static float* pack_as_columns(Scratch& scratch, const float* rows, size_t stride, int count, int size) {
  float* to = scratch.floats(packed_size(count, size));
  for (int panel = 0; panel < ceil_div(count, PANEL); panel++)
    pack_transposed(to, count, size, panel, [&](int n) { return rows + (size_t)n * stride; });
  return to;
}

static float* pack_as_rows(Scratch& scratch, const float* rows, size_t stride, int count, int size) {
  float* to = scratch.floats(packed_size(size, count));
  for (int panel = 0; panel < ceil_div(size, PANEL); panel++)
    pack_straight(to, size, count, panel, 0, count, [&](int k) { return rows + (size_t)k * stride; });
  return to;
}

INLINE int attention_tasks(const Attention& a) { return a.layout.batch * a.heads.kv_count; }

static void attention_task(const Attention& a, int task) {
  const int length = a.layout.length, size = a.heads.size, group = a.heads.count / a.heads.kv_count;
  const int b = task / a.heads.kv_count, kv = task % a.heads.kv_count;
  const size_t row0 = (size_t)b * length;
  Scratch scratch;
  const Mask mask = make_mask(scratch, a.layout.segments ? a.layout.segments + row0 : nullptr, length);
  const size_t kv_at = row0 * a.kv_stride + (size_t)kv * size;
  const float* keys = pack_as_columns(scratch, a.k + kv_at, a.kv_stride, length, size);
  const float* values = pack_as_rows(scratch, a.v + kv_at, a.kv_stride, length, size);
  for (int g = 0; g < group; g++) {
    const int h = kv * group + g;
    const Operand q{a.q + row0 * a.q_stride + (size_t)h * size, a.q_stride, 1};
    attend({q, length, 0, size, keys, values, length, mask.segments, mask.first,
            a.scores, a.mixed + row0 * a.heads.q_width() + (size_t)h * size,
            (size_t)a.heads.q_width(), a.lse ? a.lse + row0 * a.heads.count + h : nullptr,
            (size_t)a.heads.count});
  }
}

static void attention_forward(const Attention& a) {
  parallel(attention_tasks(a), [&](int task) { attention_task(a, task); });
}

// ---- backward ----

// p = exp(scale·s − lse) and ds = p·(dp − d)·scale in place of the scores and of dp; of capped scores the same
// with the slope of the cap.
INLINE void score_grads(float* scores, float* dp, int begin, int end, int first, int last, const int32_t* segments,
                        int32_t segment, const Scores& how, float lse, float d) {
  const vi lane = iota();
  const float scale = how.scale;
  if (how.softcap > 0) {
    for (int j = begin; j < end; j += W) {
      const vi seen = (load_ints(segments + j) == segment) & (lane + j <= last) & (lane + j >= first);
      const vf t = tanh_of(load(scores + j) * (scale / how.softcap));
      const vf p = select(seen, vexp(how.softcap * t - lse), vf{});
      store(scores + j, p);
      store(dp + j, select(seen, p * (load(dp + j) - d) * (1.f - t * t) * scale, vf{}));
    }
    return;
  }
  for (int j = begin; j < end; j += W) {
    const vi seen = (load_ints(segments + j) == segment) & (lane + j <= last) & (lane + j >= first);
    const vf p = select(seen, vexp(load(scores + j) * scale - lse), vf{});
    store(scores + j, p);
    store(dp + j, select(seen, p * (load(dp + j) - d) * scale, vf{}));
  }
}

struct HeadGrad {
  const Attention& a;
  int length, size;
  const Mask& mask;
  const float *keys_t, *keys, *values_t;  // kᵀ, k and vᵀ, packed
  float *dk, *dv;                         // [length][size] sums over the heads of the group
};

static void attend_grad(const HeadGrad& s, const float* q, const float* mixed, const float* dmixed,
                        const float* lse, float* dq) {
  Scratch scratch;
  const int length = s.length, size = s.size;
  const size_t q_stride = s.a.q_stride, mixed_stride = (size_t)s.a.heads.q_width();
  const float* q_rows = pack_as_rows(scratch, q, q_stride, length, size);
  const float* dmixed_rows = pack_as_rows(scratch, dmixed, mixed_stride, length, size);
  const int stride = ceil_div(length, PANEL) * PANEL;
  float* scores = scratch.floats((size_t)QUERY_ROWS * (size_t)stride);
  float* dp = scratch.floats((size_t)QUERY_ROWS * (size_t)stride);
  for (int i0 = 0; i0 < length; i0 += QUERY_ROWS) {
    const int block = imin(QUERY_ROWS, length - i0), end = i0 + block;
    int begin = end;
    for (int i = i0; i < end; i++) begin = imin(begin, first_key_of(s.a.scores, s.mask.first[i], i));
    const int begin_lane = begin / W * W, end_lane = ceil_div(end, W) * W;
    const int tiles = ceil_div(block, MAX_ROWS);
    for (int t = 0; t < tiles; t++) {
      const int row = tile_start(block, tiles, t), rows = tile_start(block, tiles, t + 1) - row;
      const int last = i0 + row + rows;
      float *s_rows = scores + (size_t)row * stride, *dp_rows = dp + (size_t)row * stride;
      scores_tile({q, q_stride, 1}, i0 + row, rows, size, s.keys_t, begin, last, s_rows, stride);
      scores_tile({dmixed, mixed_stride, 1}, i0 + row, rows, size, s.values_t, begin, last, dp_rows, stride);
      for (int r = 0; r < rows; r++) {
        const int i = i0 + row + r;
        const int32_t segment = s.mask.segments[i] != 0 ? s.mask.segments[i] : -2;
        vf dot = {};
        for_lanes(size, [&](int c, int n) {
          dot += load_up_to(mixed + (size_t)i * mixed_stride + c, n) *
                 load_up_to(dmixed + (size_t)i * mixed_stride + c, n);
        });
        float *p = s_rows + (size_t)r * stride, *g = dp_rows + (size_t)r * stride;
        const int known = imin(end_lane, ceil_div(last, W) * W);
        score_grads(p, g, begin_lane, known, first_key_of(s.a.scores, s.mask.first[i], i), i, s.mask.segments,
                    segment, s.a.scores, lse[(size_t)i * s.a.heads.count], sum(dot));
        for (int j = known; j < end_lane; j += W) {
          store(p + j, vf{});
          store(g + j, vf{});
        }
      }
      for (int panel = 0; panel * PANEL < size; panel++) {
        const int col = panel * PANEL;
        run_micro_kernel(rows, last - begin, rows_of(dp_rows, stride), 0, begin,
                 s.keys + ((size_t)panel * (size_t)length + begin) * PANEL,
                 plain(dq + (size_t)(i0 + row) * q_stride + col, (int)q_stride), size - col);
      }
    }
    // dv += pᵀ·dmixed and dk += dsᵀ·q, over the keys that this block sees.
    const int key_tiles = ceil_div(end - begin, MAX_ROWS);
    for (int panel = 0; panel * PANEL < size; panel++) {
      const int col = panel * PANEL;
      for (int t = 0; t < key_tiles; t++) {
        const int key = begin + tile_start(end - begin, key_tiles, t);
        const int keys = begin + tile_start(end - begin, key_tiles, t + 1) - key;
        const int from = imax(i0, key);  // earlier queries do not see these keys
        const size_t b_at = ((size_t)panel * (size_t)length + from) * PANEL;
        const size_t at = (size_t)key * size + col;
        run_micro_kernel(keys, end - from, columns_of(scores, stride), key, from - i0, dmixed_rows + b_at,
                 accumulate(s.dv + at, size), size - col);
        run_micro_kernel(keys, end - from, columns_of(dp, stride), key, from - i0, q_rows + b_at,
                 accumulate(s.dk + at, size), size - col);
      }
    }
  }
}

static void attention_grad_task(const Attention& a, const AttentionGrad& grad, int task) {
  const int length = a.layout.length, size = a.heads.size, group = a.heads.count / a.heads.kv_count;
  const int b = task / a.heads.kv_count, kv = task % a.heads.kv_count;
  const size_t row0 = (size_t)b * length, kv_at = row0 * a.kv_stride + (size_t)kv * size;
  Scratch scratch;
  const Mask mask = make_mask(scratch, a.layout.segments ? a.layout.segments + row0 : nullptr, length);
  const size_t sums = (size_t)length * size;
  float* dk = scratch.floats(sums);
  float* dv = scratch.floats(sums);
  memset(dk, 0, sizeof(float) * sums);
  memset(dv, 0, sizeof(float) * sums);
  const HeadGrad head{a, length, size, mask,
                      pack_as_columns(scratch, a.k + kv_at, a.kv_stride, length, size),
                      pack_as_rows(scratch, a.k + kv_at, a.kv_stride, length, size),
                      pack_as_columns(scratch, a.v + kv_at, a.kv_stride, length, size), dk, dv};
  for (int g = 0; g < group; g++) {
    const size_t h = (size_t)kv * group + g;
    const size_t q_at = row0 * a.q_stride + h * size, mixed_at = row0 * a.heads.q_width() + h * size;
    attend_grad(head, a.q + q_at, a.mixed + mixed_at, grad.dmixed + mixed_at,
                a.lse + row0 * a.heads.count + h, grad.dq + q_at);
  }
  for (int t = 0; t < length; t++) {
    memcpy(grad.dk + kv_at + (size_t)t * a.kv_stride, dk + (size_t)t * size, sizeof(float) * (size_t)size);
    memcpy(grad.dv + kv_at + (size_t)t * a.kv_stride, dv + (size_t)t * size, sizeof(float) * (size_t)size);
  }
}

static void attention_backward(const Attention& a, const AttentionGrad& grad) {
  parallel(attention_tasks(a), [&](int task) { attention_grad_task(a, grad, task); });
}

}  // namespace ISA
}  // namespace stagecraft
