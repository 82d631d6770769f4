// The two blocks of a decoder layer, forward and backward.
#pragma once
#include <cstddef>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "../rotary_table.h"
#include "attention.h"
#include "elementwise.h"
#include "gemm.h"
#include "linear.h"
#include "norm.h"
#include "parallel.h"
#include "rotary.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

// ---- blocks of rows ----

// The steps of a block that work row by row are done for some rows at once, one after the other on one
// thread, so that what they pass on stays in its cache. How rows are cut depends on shapes only: the sums
// for the norms' gradients are made block by block.
struct RowBlocks {
  int rows, count;
  int begin(int block) const { return tile_start(rows, count, block); }
};

// More rows where the weights that every block reads again are large.
static inline RowBlocks row_blocks(int rows, size_t weights) {
  const int most = (weights > (1 << 18) ? 8 : 4) * MAX_ROWS;
  const int size = imax(MAX_ROWS, imin(most, ceil_div(rows, 12)));
  return {rows, ceil_div(rows, size)};
}

// body(first row, number of rows, block)
template <class F>
static inline void parallel_blocks(const RowBlocks& blocks, const F& body) {
  parallel(blocks.count, [&](int block) {
    const int begin = blocks.begin(block);
    body(begin, blocks.begin(block + 1) - begin, block);
  });
}

// The sums of the blocks' norm gradients.
struct NormSums {
  float* partial;  // [block][2][width]
  int count, width;
  NormSums(Scratch& scratch, const RowBlocks& blocks, int width)
      : partial(scratch.floats((size_t)blocks.count * 2 * (size_t)width)), count(blocks.count), width(width) {}
  float* of(int block) const { return partial + (size_t)block * 2 * (size_t)width; }
  void finish(const NormGrad& grad) const {
    sum_parts(partial, count, width, 2 * (size_t)width, grad.weight);
    if (grad.bias) sum_parts(partial + width, count, width, 2 * (size_t)width, grad.bias);
  }
};

// Norm and its gradient for rows [begin, begin + n) of x, given those of dnormal, the gradient of the
// normalised rows: dx = residual + norm'(dnormal), the rows normalised again and packed, the sums for the
// norm's weights. dx may be the residual.
static void norm_grad_block(const float* x, int begin, int n, int rows, int width, const Norm& norm,
                            const float* stats, const float* dnormal, const float* residual, float* dx,
                            float* sums, float* packed) {
  memset(sums, 0, sizeof(float) * 2 * (size_t)width);
  for (int i = 0; i < n; i++) {
    const size_t r = (size_t)(begin + i), at = (size_t)i * width;
    const float *row = x + r * width, *row_stats = stats + r * NORM_STATS;
    store_packed(packed, rows, (int)r, width, [&](int j, int m) { return normal_of(row, j, m, norm, row_stats); });
    norm_grad_row(row, width, norm, row_stats, dnormal + at, residual + at, dx + at, sums,
                  norm.bias ? sums + width : nullptr);
  }
}

// ---- attention block: norm, queries, keys and values | attention | output and residual ----

static Attention inner_attention(const AttentionBlock& p) {
  const int q = p.heads.q_width(), kv = p.heads.kv_width();
  const size_t stride = (size_t)p.heads.qkv_width();
  return {p.layout, p.heads, p.scores, p.qkv, p.qkv + q, p.qkv + q + kv, stride, stride, p.mixed, p.lse};
}

INLINE int rows_of(const AttentionBlock& p) { return p.layout.batch * p.layout.length; }

static Stack qkv_stack(const AttentionBlock& p) {
  return {{p.q.weight, p.k.weight, p.v.weight},
          {p.heads.q_width(), p.heads.kv_width(), p.heads.kv_width()}, 3, p.width};
}

static Stack o_stack(const AttentionBlock& p) { return stack_of(p.o.weight, p.width, p.heads.q_width()); }

// The block with the weights that count, of what goes in and of what goes out.
static AttentionBlock merged_in(Scratch& scratch, AttentionBlock p) {
  p.q = merged(scratch, p.q, p.heads.q_width(), p.width);
  p.k = merged(scratch, p.k, p.heads.kv_width(), p.width);
  p.v = merged(scratch, p.v, p.heads.kv_width(), p.width);
  return p;
}

static AttentionBlock merged_out(Scratch& scratch, AttentionBlock p) {
  p.o = merged(scratch, p.o, p.width, p.heads.q_width());
  return p;
}

INLINE size_t num_weights(const AttentionBlock& p) { return (size_t)p.heads.qkv_width() * (size_t)p.width; }

static const float* qkv_bias(Scratch& scratch, const AttentionBlock& p) {
  const float* biases[] = {p.q.bias, p.k.bias, p.v.bias};
  return joined_bias(scratch, biases, qkv_stack(p).rows, 3);
}

// Rotates queries and keys of rows [begin, end) of qkv.
static void rotate_qk(const AttentionBlock& p, const float* table, int begin, int end, bool inverse, float* qkv) {
  if (table) {
    rotate_range(qkv, begin, end, (size_t)p.heads.qkv_width(), p.heads.count + p.heads.kv_count, p.heads.size,
                 p.rope.pairs, p.layout.positions, p.layout.length, table, inverse, qkv);
  }
}

static const float* rotary_angles(const AttentionBlock& p) {
  if (p.rope.pairs == 0) return nullptr;
  return rotary_table(p.rope, position_limit(p.layout.positions, rows_of(p), p.layout.length));
}

// Rows [begin, begin + n) of x → their stats and qkv.
static void attention_in(const AttentionBlock& p, const float* packed_qkv, const float* bias,
                         const float* angles, int begin, int n) {
  Scratch local;
  const int width = p.width, total = p.heads.qkv_width();
  float* normal = local.floats((size_t)n * (size_t)width);
  norm_range(p.x + (size_t)begin * width, n, width, p.norm, normal, p.stats + (size_t)begin * NORM_STATS);
  multiply({n, total, width, rows_of(normal, width), packed_qkv,
            with_bias(p.qkv + (size_t)begin * total, total, bias)});
  rotate_qk(p, angles, begin, begin + n, false, p.qkv);
}

// n rows of mixed heads and of x → those of y.
static void attention_out(const AttentionBlock& p, const float* packed_o, const float* mixed, const float* x,
                          int n, float* y) {
  const int q = p.heads.q_width();
  multiply({n, p.width, q, rows_of(mixed, q), packed_o, Output{y, (size_t)p.width, x, (size_t)p.width, p.o.bias}});
}

// What the backward pass of an attention block holds between its regions. `outputs`: rows that went on
// behind the attention.
struct AttentionGradMemory {
  int rows, outputs;
  float *dmixed, *dqkv;                // [rows, q], [rows, q + 2·kv]
  float *dy, *mixed;                   // packed, outputs rows
  float *x, *dq, *dk, *dv;             // packed, rows
  float *weights_o, *weights_qkv;      // packed
  // `apart`: dq is packed while dmixed is still read.
  AttentionGradMemory(Scratch& scratch, const AttentionBlock& p, int outputs, bool apart)
      : rows(rows_of(p)), outputs(outputs) {
    const int q = p.heads.q_width(), kv = p.heads.kv_width(), width = p.width;
    dmixed = scratch.floats(packed_size(q, rows));
    dqkv = scratch.floats((size_t)rows * (size_t)p.heads.qkv_width());
    dy = scratch.floats(packed_size(width, outputs));
    mixed = scratch.floats(packed_size(q, outputs));
    x = scratch.floats(packed_size(width, rows));
    dq = apart ? scratch.floats(packed_size(q, rows)) : dmixed;  // which nobody reads any more by then
    dk = scratch.floats(packed_size(kv, rows));
    dv = scratch.floats(packed_size(kv, rows));
    weights_o = scratch.floats(packed_size(q, width));
    weights_qkv = scratch.floats(packed_size(width, p.heads.qkv_width()));
  }
  AttentionGrad gradients(const AttentionBlock& p) const {
    return {dmixed, dqkv, dqkv + p.heads.q_width(), dqkv + p.heads.q_width() + p.heads.kv_width()};
  }
};

// n rows of dy, from output row `begin` on → those of dmixed; packs what the weight's gradient needs.
static void attention_out_grad(const AttentionBlock& p, const AttentionGradMemory& m, const float* dy,
                               const float* mixed, int begin, int n, float* dmixed) {
  const int width = p.width, q = p.heads.q_width();
  multiply({n, q, width, rows_of(dy, width), m.weights_o, plain(dmixed, q)});
  for (int i = 0; i < n; i++) {
    pack_row(m.dy, m.outputs, begin + i, dy + (size_t)i * width, width);
    pack_row(m.mixed, m.outputs, begin + i, mixed + (size_t)i * q, q);
  }
}

// Rows [begin, begin + n) of dqkv and `residual` → those of dx, which may be the residual.
static void attention_in_grad(const AttentionBlock& p, const AttentionGradMemory& m, const float* angles,
                              const float* residual, int begin, int n, float* dx, float* sums) {
  Scratch local;
  const int width = p.width, q = p.heads.q_width(), kv = p.heads.kv_width(), total = p.heads.qkv_width();
  float* dnormal = local.floats((size_t)n * (size_t)width);
  rotate_qk(p, angles, begin, begin + n, true, m.dqkv);
  multiply({n, width, total, rows_of(m.dqkv + (size_t)begin * total, total), m.weights_qkv, plain(dnormal, width)});
  for (int r = begin; r < begin + n; r++) {
    const float* row = m.dqkv + (size_t)r * total;
    pack_row(m.dq, m.rows, r, row, q);
    pack_row(m.dk, m.rows, r, row + q, kv);
    pack_row(m.dv, m.rows, r, row + q + kv, kv);
  }
  norm_grad_block(p.x, begin, n, m.rows, width, p.norm, p.stats, dnormal, residual, dx, sums, m.x);
}

static void add_out_grads(const AttentionBlock& p, const AttentionGradMemory& m, const AttentionBlockGrad& g,
                          MapGrads& grads) {
  grads.add(p.o, g.o, m.dy, p.width, p.heads.q_width(), m.outputs, m.mixed);
}

static void add_in_grads(const AttentionBlock& p, const AttentionGradMemory& m, const AttentionBlockGrad& g,
                         MapGrads& grads) {
  const int q = p.heads.q_width(), kv = p.heads.kv_width();
  grads.add(p.q, g.q, m.dq, q, p.width, m.rows, m.x);
  grads.add(p.k, g.k, m.dk, kv, p.width, m.rows, m.x);
  grads.add(p.v, g.v, m.dv, kv, p.width, m.rows, m.x);
}

static void attention_block_grad(const AttentionBlock& asked, const AttentionBlockGrad& g, const float* dy, float* dx) {
  Scratch scratch;
  const AttentionBlock p = merged_out(scratch, merged_in(scratch, asked));
  const int rows = rows_of(p), width = p.width, q = p.heads.q_width();
  const AttentionGradMemory m(scratch, p, rows, false);
  const Packing packed[] = {{o_stack(p), true, m.weights_o}, {qkv_stack(p), true, m.weights_qkv}};
  pack(packed, 2);
  const float* angles = rotary_angles(p);
  const RowBlocks blocks = row_blocks(rows, num_weights(p));
  parallel_blocks(blocks, [&](int begin, int n, int) {
    const size_t at = (size_t)begin * q;
    attention_out_grad(p, m, dy + (size_t)begin * width, p.mixed + at, begin, n, m.dmixed + at);
  });
  attention_backward(inner_attention(p), m.gradients(p));
  const NormSums sums(scratch, blocks, width);
  parallel_blocks(blocks, [&](int begin, int n, int block) {
    const size_t at = (size_t)begin * width;
    attention_in_grad(p, m, angles, dy + at, begin, n, dx + at, sums.of(block));
  });
  sums.finish(g.norm);
  MapGrads grads(scratch);
  add_out_grads(p, m, g, grads);
  add_in_grads(p, m, g, grads);
  grads.run();
}

// ---- MLP block ----

static Stack up_stack(const MlpBlock& p) {
  if (!p.gated) return stack_of(p.up.weight, p.inner, p.width);
  return {{p.gate.weight, p.up.weight}, {p.inner, p.inner}, 2, p.width};
}

static Stack down_stack(const MlpBlock& p) { return stack_of(p.down.weight, p.width, p.inner); }

// The block with the weights that count.
static MlpBlock merged(Scratch& scratch, MlpBlock p) {
  if (p.gated) p.gate = merged(scratch, p.gate, p.inner, p.width);
  p.up = merged(scratch, p.up, p.inner, p.width);
  p.down = merged(scratch, p.down, p.width, p.inner);
  return p;
}

INLINE int hidden_width(const MlpBlock& p) { return p.gated ? 2 * p.inner : p.inner; }

INLINE size_t num_weights(const MlpBlock& p) { return (size_t)(hidden_width(p) + p.inner) * (size_t)p.width; }

static const float* up_bias(Scratch& scratch, const MlpBlock& p) {
  const float* biases[] = {p.gated ? p.gate.bias : p.up.bias, p.up.bias};
  const Stack stack = up_stack(p);
  return joined_bias(scratch, biases, stack.rows, stack.count);
}

INLINE void activate_row(const float* hidden, int inner, bool gated, Activation activation, float* to) {
  with_activation(activation, [&](auto act) {
    for_lanes(inner, [&](int i, int n) {
      const vf a = act.of(load_up_to(hidden + i, n));
      store_up_to(to + i, gated ? a * load_up_to(hidden + inner + i, n) : a, n);
    });
  });
}

// The gradient of a hidden row, and the activation again, packed as row `row` of `rows`.
INLINE void activate_row_grad(const MlpBlock& p, const float* hidden, const float* dactive, float* packed, int row,
                              float* dhidden) {
  const int inner = p.inner;
  with_activation(p.activation, [&](auto act) {
    store_packed(packed, p.rows, row, inner, [&](int i, int n) -> vf {
      const vf a = load_up_to(hidden + i, n), dy = load_up_to(dactive + i, n);
      if (!p.gated) {
        store_up_to(dhidden + i, dy * act.slope(a), n);
        return act.of(a);
      }
      const vf u = load_up_to(hidden + inner + i, n);
      vf dg, du;
      act.slopes(a, u, dy, &dg, &du);
      store_up_to(dhidden + i, dg, n);
      store_up_to(dhidden + inner + i, du, n);
      return act.of(a) * u;
    });
  });
}

// Rows [begin, begin + n) of x → those of y.
static void mlp_rows(const MlpBlock& p, const float* packed_up, const float* packed_down, const float* bias,
                     int begin, int n) {
  Scratch local;
  const int width = p.width, inner = p.inner, total = hidden_width(p);
  const size_t at = (size_t)begin * width;
  float* normal = local.floats((size_t)n * (size_t)width);
  float* active = local.floats((size_t)n * (size_t)inner);
  float* hidden = p.hidden ? p.hidden + (size_t)begin * total : local.floats((size_t)n * (size_t)total);
  norm_range(p.x + at, n, width, p.norm, normal, p.stats + (size_t)begin * NORM_STATS);
  multiply({n, total, width, rows_of(normal, width), packed_up, with_bias(hidden, total, bias)});
  for (int r = 0; r < n; r++) 
    activate_row(hidden + (size_t)r * total, inner, p.gated, p.activation, active + (size_t)r * inner);
  multiply({n, width, inner, rows_of(active, inner), packed_down,
            Output{p.y + at, (size_t)width, p.x + at, (size_t)width, p.down.bias}});
}

// What the backward pass of an MLP block holds between its regions, packed.
struct MlpGradMemory {
  float *dy, *dgate, *dup, *active, *x;
  float *weights_down, *weights_up;
  MlpGradMemory(Scratch& scratch, const MlpBlock& p, int rows) {
    dy = scratch.floats(packed_size(p.width, rows));
    dgate = p.gated ? scratch.floats(packed_size(p.inner, rows)) : nullptr;
    dup = scratch.floats(packed_size(p.inner, rows));
    active = scratch.floats(packed_size(p.inner, rows));
    x = scratch.floats(packed_size(p.width, rows));
    weights_down = scratch.floats(packed_size(p.inner, p.width));
    weights_up = scratch.floats(packed_size(p.width, hidden_width(p)));
  }
};

// n rows of dy, those of x from `begin` on → dx; packs what the weights' gradients need.
static void mlp_rows_grad(const MlpBlock& p, const MlpGradMemory& m, const float* dy, int begin, int n,
                          float* dx, float* sums) {
  Scratch local;
  const int rows = p.rows, width = p.width, inner = p.inner, total = hidden_width(p);
  float* dactive = local.floats((size_t)n * (size_t)inner);
  float* dhidden = local.floats((size_t)n * (size_t)total);
  float* dnormal = local.floats((size_t)n * (size_t)width);
  multiply({n, inner, width, rows_of(dy, width), m.weights_down, plain(dactive, inner)});
  for (int i = 0; i < n; i++) {
    const int r = begin + i;
    float* row = dhidden + (size_t)i * total;
    activate_row_grad(p, p.hidden + (size_t)r * total, dactive + (size_t)i * inner, m.active, r, row);
    pack_row(m.dy, rows, r, dy + (size_t)i * width, width);
    if (p.gated) pack_row(m.dgate, rows, r, row, inner);
    pack_row(m.dup, rows, r, row + (total - inner), inner);
  }
  multiply({n, width, total, rows_of(dhidden, total), m.weights_up, plain(dnormal, width)});
  norm_grad_block(p.x, begin, n, rows, width, p.norm, p.stats, dnormal, dy, dx, sums, m.x);
}

static void add_mlp_grads(const MlpBlock& p, const MlpGradMemory& m, const MlpBlockGrad& g, MapGrads& grads) {
  grads.add(p.down, g.down, m.dy, p.width, p.inner, p.rows, m.active);
  grads.add(p.up, g.up, m.dup, p.inner, p.width, p.rows, m.x);
  if (p.gated) grads.add(p.gate, g.gate, m.dgate, p.inner, p.width, p.rows, m.x);
}

static void mlp_block_grad(const MlpBlock& asked, const MlpBlockGrad& g, const float* dy, float* dx) {
  Scratch scratch;
  const MlpBlock p = merged(scratch, asked);
  const MlpGradMemory m(scratch, p, p.rows);
  const Packing packed[] = {{down_stack(p), true, m.weights_down}, {up_stack(p), true, m.weights_up}};
  pack(packed, 2);
  const RowBlocks blocks = row_blocks(p.rows, num_weights(p));
  const NormSums sums(scratch, blocks, p.width);
  parallel_blocks(blocks, [&](int begin, int n, int block) {
    const size_t at = (size_t)begin * p.width;
    mlp_rows_grad(p, m, dy + at, begin, n, dx + at, sums.of(block));
  });
  sums.finish(g.norm);
  MapGrads grads(scratch);
  add_mlp_grads(p, m, g, grads);
  grads.run();
}

}  // namespace ISA
}  // namespace stagecraft
