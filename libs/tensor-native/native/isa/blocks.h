// The two blocks of a decoder layer, forward and backward.
#pragma once
#include "linear.h"

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

// Row `row` of a matrix that is packed for aᵀ·matrix: value(i, n) for its columns, zeros behind them.
template <class F>
INLINE void store_packed(float* to, int rows, int row, int width, const F& value) {
  for (int panel = 0; panel * PANEL < width; panel++) {
    float* out = to + ((size_t)panel * (size_t)rows + (size_t)row) * PANEL;
    for (int lane = 0; lane < PANEL; lane += W) {
      const int i = panel * PANEL + lane, n = imin(W, width - i);
      store(out + lane, n > 0 ? value(i, n) : vf{});
    }
  }
}

// The same for a row that lies there.
INLINE void pack_row(float* to, int rows, int row, const float* from, int width) {
  store_packed(to, rows, row, width, [&](int i, int n) { return load_up_to(from + i, n); });
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

// Norm and its gradient for rows [begin, begin + n) of a block, given the gradient of the normalised rows:
// dx = residual + norm'(dnormal), the rows normalised again and packed, the sums for the norm's weights.
static void norm_grad_block(const float* x, int begin, int n, int rows, int width, const Norm& norm,
                            const float* stats, const float* dnormal, const float* residual, float* dx,
                            float* sums, float* packed) {
  memset(sums, 0, sizeof(float) * 2 * (size_t)width);
  for (int i = 0; i < n; i++) {
    const int r = begin + i;
    const size_t at = (size_t)r * width;
    const float* row_stats = stats + (size_t)r * NORM_STATS;
    store_packed(packed, rows, r, width, [&](int j, int m) { return normal_of(x + at, j, m, norm, row_stats); });
    norm_grad_row(x + at, width, norm, row_stats, dnormal + (size_t)i * width, residual + at, dx + at, sums,
                  norm.bias ? sums + width : nullptr);
  }
}

// ---- attention block ----

static Attention inner_attention(const AttentionBlock& p) {
  const int q = p.heads.q_width(), kv = p.heads.kv_width();
  const size_t stride = (size_t)p.heads.qkv_width();
  return {p.layout, p.heads, p.qkv, p.qkv + q, p.qkv + q + kv, stride, stride, p.mixed, p.lse};
}

static Stack qkv_stack(const AttentionBlock& p) {
  return {{p.q.weight, p.k.weight, p.v.weight},
          {p.heads.q_width(), p.heads.kv_width(), p.heads.kv_width()}, 3, p.width};
}

// Rotates queries and keys of rows [begin, end) of qkv.
static void rotate_qk(const AttentionBlock& p, const float* table, int begin, int end, bool inverse, float* qkv) {
  if (table) {
    rotate_range(qkv, begin, end, (size_t)p.heads.qkv_width(), p.heads.count + p.heads.kv_count, p.heads.size,
                 p.layout.positions, p.layout.length, table, inverse, qkv);
  }
}

static const float* rotary_angles(const AttentionBlock& p, int rows) {
  if (p.rope_theta == 0) return nullptr;
  return rotary_table(p.rope_theta, p.heads.size / 2, position_limit(p.layout.positions, rows, p.layout.length));
}

static void attention_block(const AttentionBlock& p) {
  Scratch scratch;
  const int rows = p.layout.batch * p.layout.length, width = p.width, total = p.heads.qkv_width();
  const int q = p.heads.q_width();
  const Stack stack = qkv_stack(p);
  const Packing packed[] = {forward_packing(scratch, stack),
                            forward_packing(scratch, stack_of(p.o.weight, width, q))};
  pack(packed, 2);
  const float* biases[] = {p.q.bias, p.k.bias, p.v.bias};
  const float* bias = joined_bias(scratch, biases, stack.rows, 3);
  const float* angles = rotary_angles(p, rows);
  const RowBlocks blocks = row_blocks(rows, (size_t)total * (size_t)width);
  parallel_blocks(blocks, [&](int begin, int n, int) {
    Scratch local;
    float* normal = local.floats((size_t)n * (size_t)width);
    float* stats = p.stats + (size_t)begin * NORM_STATS;
    norm_range(p.x + (size_t)begin * width, n, width, p.norm, normal, stats);
    multiply({n, total, width, rows_of(normal, width), packed[0].to,
              with_bias(p.qkv + (size_t)begin * total, total, bias)});
    rotate_qk(p, angles, begin, begin + n, false, p.qkv);
  });
  attention_forward(inner_attention(p));
  multiply({rows, width, q, rows_of(p.mixed, q), packed[1].to,
            Output{p.y, (size_t)width, p.x, (size_t)width, p.o.bias}});
}

static void attention_block_grad(const AttentionBlock& p, const AttentionBlockGrad& g) {
  Scratch scratch;
  const int rows = p.layout.batch * p.layout.length, width = p.width;
  const int q = p.heads.q_width(), kv = p.heads.kv_width(), total = p.heads.qkv_width();
  float* dmixed = scratch.floats(packed_size(q, rows));
  float* dqkv = scratch.floats((size_t)rows * (size_t)total);
  float* packed_dy = scratch.floats(packed_size(width, rows));
  float* packed_mixed = scratch.floats(packed_size(q, rows));
  float* packed_x = scratch.floats(packed_size(width, rows));
  float* packed_dq = dmixed;  // which nobody reads any more by then
  float* packed_dk = scratch.floats(packed_size(kv, rows));
  float* packed_dv = scratch.floats(packed_size(kv, rows));
  const Packing packed[] = {backward_packing(scratch, stack_of(p.o.weight, width, q)),
                            backward_packing(scratch, qkv_stack(p))};
  pack(packed, 2);
  const float* angles = rotary_angles(p, rows);
  const RowBlocks blocks = row_blocks(rows, (size_t)total * (size_t)width);
  parallel_blocks(blocks, [&](int begin, int n, int) {
    const float* dy = g.dy + (size_t)begin * width;
    multiply({n, q, width, rows_of(dy, width), packed[0].to, plain(dmixed + (size_t)begin * q, q)});
    for (int r = begin; r < begin + n; r++) {
      pack_row(packed_dy, rows, r, g.dy + (size_t)r * width, width);
      pack_row(packed_mixed, rows, r, p.mixed + (size_t)r * q, q);
    }
  });
  attention_backward(inner_attention(p), {dmixed, dqkv, dqkv + q, dqkv + q + kv});
  const NormSums sums(scratch, blocks, width);
  parallel_blocks(blocks, [&](int begin, int n, int block) {
    Scratch local;
    float* dnormal = local.floats((size_t)n * (size_t)width);
    rotate_qk(p, angles, begin, begin + n, true, dqkv);
    multiply({n, width, total, rows_of(dqkv + (size_t)begin * total, total), packed[1].to, plain(dnormal, width)});
    for (int r = begin; r < begin + n; r++) {
      const float* row = dqkv + (size_t)r * total;
      pack_row(packed_dq, rows, r, row, q);
      pack_row(packed_dk, rows, r, row + q, kv);
      pack_row(packed_dv, rows, r, row + q + kv, kv);
    }
    norm_grad_block(p.x, begin, n, rows, width, p.norm, p.stats, dnormal, g.dy, g.dx, sums.of(block), packed_x);
  });
  sums.finish(g.norm);
  const Product products[] = {
      weight_grad(packed_dy, width, q, rows, packed_mixed, g.o.weight),
      weight_grad(packed_dq, q, width, rows, packed_x, g.q.weight),
      weight_grad(packed_dk, kv, width, rows, packed_x, g.k.weight),
      weight_grad(packed_dv, kv, width, rows, packed_x, g.v.weight),
  };
  multiply(products, 4);
  if (g.o.bias) sum_packed(packed_dy, rows, width, g.o.bias);
  if (g.q.bias) sum_packed(packed_dq, rows, q, g.q.bias);
  if (g.k.bias) sum_packed(packed_dk, rows, kv, g.k.bias);
  if (g.v.bias) sum_packed(packed_dv, rows, kv, g.v.bias);
}

// ---- MLP block ----

static Stack mlp_stack(const MlpBlock& p) {
  if (!p.gated) return stack_of(p.up.weight, p.inner, p.width);
  return {{p.gate.weight, p.up.weight}, {p.inner, p.inner}, 2, p.width};
}

INLINE void activate_row(const float* hidden, int inner, bool gated, float* to) {
  for_lanes(inner, [&](int i, int n) {
    const vf a = load_up_to(hidden + i, n);
    store_up_to(to + i, gated ? a * sigmoid(a) * load_up_to(hidden + inner + i, n) : gelu_of(a), n);
  });
}

// The gradient of a hidden row, and the activation again, packed as row `row` of `rows`.
INLINE void activate_row_grad(const float* hidden, const float* dactive, int inner, bool gated,
                              float* packed, int rows, int row, float* dhidden) {
  store_packed(packed, rows, row, inner, [&](int i, int n) {
    const vf a = load_up_to(hidden + i, n), dy = load_up_to(dactive + i, n);
    if (!gated) {
      store_up_to(dhidden + i, dy * gelu_slope(a), n);
      return gelu_of(a);
    }
    const vf u = load_up_to(hidden + inner + i, n);
    vf dg, du;
    swiglu_slopes(a, u, dy, &dg, &du);
    store_up_to(dhidden + i, dg, n);
    store_up_to(dhidden + inner + i, du, n);
    return a * sigmoid(a) * u;
  });
}

static void mlp_block(const MlpBlock& p) {
  Scratch scratch;
  const int rows = p.rows, width = p.width, inner = p.inner, total = p.gated ? 2 * inner : inner;
  const Stack stack = mlp_stack(p);
  const Packing packed[] = {forward_packing(scratch, stack),
                            forward_packing(scratch, stack_of(p.down.weight, width, inner))};
  pack(packed, 2);
  const float* biases[] = {p.gated ? p.gate.bias : p.up.bias, p.up.bias};
  const float* bias = joined_bias(scratch, biases, stack.rows, stack.count);
  parallel_blocks(row_blocks(rows, (size_t)(total + inner) * (size_t)width), [&](int begin, int n, int) {
    Scratch local;
    float* normal = local.floats((size_t)n * (size_t)width);
    float* active = local.floats((size_t)n * (size_t)inner);
    const size_t at = (size_t)begin * width;
    float* hidden = p.hidden ? p.hidden + (size_t)begin * total : local.floats((size_t)n * (size_t)total);
    norm_range(p.x + at, n, width, p.norm, normal, p.stats + (size_t)begin * NORM_STATS);
    multiply({n, total, width, rows_of(normal, width), packed[0].to, with_bias(hidden, total, bias)});
    for (int r = 0; r < n; r++)
      activate_row(hidden + (size_t)r * total, inner, p.gated, active + (size_t)r * inner);
    multiply({n, width, inner, rows_of(active, inner), packed[1].to,
              Output{p.y + at, (size_t)width, p.x + at, (size_t)width, p.down.bias}});
  });
}

static void mlp_block_grad(const MlpBlock& p, const MlpBlockGrad& g) {
  Scratch scratch;
  const int rows = p.rows, width = p.width, inner = p.inner, total = p.gated ? 2 * inner : inner;
  float* packed_dy = scratch.floats(packed_size(width, rows));
  float* packed_dgate = p.gated ? scratch.floats(packed_size(inner, rows)) : nullptr;
  float* packed_dup = scratch.floats(packed_size(inner, rows));
  float* packed_active = scratch.floats(packed_size(inner, rows));
  float* packed_x = scratch.floats(packed_size(width, rows));
  const Packing packed[] = {backward_packing(scratch, stack_of(p.down.weight, width, inner)),
                            backward_packing(scratch, mlp_stack(p))};
  pack(packed, 2);
  const RowBlocks blocks = row_blocks(rows, (size_t)(total + inner) * (size_t)width);
  const NormSums sums(scratch, blocks, width);
  parallel_blocks(blocks, [&](int begin, int n, int block) {
    Scratch local;
    float* dactive = local.floats((size_t)n * (size_t)inner);
    float* dhidden = local.floats((size_t)n * (size_t)total);
    float* dnormal = local.floats((size_t)n * (size_t)width);
    multiply({n, inner, width, rows_of(g.dy + (size_t)begin * width, width), packed[0].to, plain(dactive, inner)});
    for (int i = 0; i < n; i++) {
      const int r = begin + i;
      float* row = dhidden + (size_t)i * total;
      activate_row_grad(p.hidden + (size_t)r * total, dactive + (size_t)i * inner, inner, p.gated, packed_active,
                        rows, r, row);
      pack_row(packed_dy, rows, r, g.dy + (size_t)r * width, width);
      if (p.gated) pack_row(packed_dgate, rows, r, row, inner);
      pack_row(packed_dup, rows, r, row + (total - inner), inner);
    }
    multiply({n, width, total, rows_of(dhidden, total), packed[1].to, plain(dnormal, width)});
    norm_grad_block(p.x, begin, n, rows, width, p.norm, p.stats, dnormal, g.dy, g.dx, sums.of(block), packed_x);
  });
  sums.finish(g.norm);
  const Product products[] = {
      weight_grad(packed_dy, width, inner, rows, packed_active, g.down.weight),
      weight_grad(packed_dup, inner, width, rows, packed_x, g.up.weight),
      weight_grad(packed_dgate, inner, width, rows, packed_x, g.gate.weight),
  };
  multiply(products, p.gated ? 3 : 2);
  if (g.down.bias) sum_packed(packed_dy, rows, width, g.down.bias);
  if (g.up.bias) sum_packed(packed_dup, rows, inner, g.up.bias);
  if (p.gated && g.gate.bias) sum_packed(packed_dgate, rows, inner, g.gate.bias);
}

}  // namespace ISA
}  // namespace stagecraft
