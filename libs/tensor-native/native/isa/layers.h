// The layers of a decoder, forward and backward. What works row by row goes on through as many blocks as it
// can before threads meet again, at attention; what rows do not need (packing weights, weight gradients) is
// done beside attention. The backward pass of a large model, where meeting costs nothing and memory does,
// goes block by block.
#pragma once
#include <cstddef>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "attention.h"
#include "blocks.h"
#include "elementwise.h"
#include "gemm.h"
#include "linear.h"
#include "norm.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

constexpr size_t TOGETHER_BYTES = 24 << 20;  // of the backward pass's scratch that is small

static bool has_adapters(const DecoderLayer& layer) {
  const AttentionBlock& a = layer.attention;
  const MlpBlock& m = layer.mlp;
  return a.q.adapter.a || a.k.adapter.a || a.v.adapter.a || a.o.adapter.a || m.gate.adapter.a || m.up.adapter.a ||
         m.down.adapter.a;
}

// Without adapters: their gradients are made in steps, block by block.
static bool is_small(const DecoderLayers& s) {
  for (int i = 0; i < s.count; i++)
    if (has_adapters(s.list[i])) return false;
  const AttentionBlock& a = s.list[0].attention;
  const MlpBlock& m = s.list[0].mlp;
  const size_t row = 5 * (size_t)a.width + 2 * (size_t)(a.heads.q_width() + a.heads.qkv_width()) +
                     (size_t)m.inner + (size_t)hidden_width(m);
  return 4 * (row * (size_t)rows_of(a) + num_weights(a) + num_weights(m)) <= TOGETHER_BYTES;
}

// ---- forward ----

// The same layers with memory for what the caller does not keep, which they share; it lasts as long as
// `scratch`.
static DecoderLayers connect(Scratch& scratch, DecoderLayers s) {
  DecoderLayer* list = static_cast<DecoderLayer*>(arena_take(sizeof(DecoderLayer) * (size_t)s.count));
  const AttentionBlock& first = s.list[0].attention;
  const size_t rows = (size_t)imax(rows_of(first), s.num_rows), width = (size_t)first.width;
  float *qkv = nullptr, *mixed = nullptr, *lse = nullptr, *stats = nullptr, *attended = nullptr;
  float *flow = nullptr, *picked = nullptr;
  const auto fill = [&](float*& field, float*& shared, size_t columns) {
    if (field) return;
    if (!shared) shared = scratch.floats(rows * columns);
    field = shared;
  };
  if (s.embeds) fill(s.embedding.y, flow, width);
  if (s.normalizes) fill(s.stats, stats, NORM_STATS);
  for (int i = 0; i < s.count; i++) {
    DecoderLayer& layer = list[i] = s.list[i];
    AttentionBlock& a = layer.attention;
    MlpBlock& m = layer.mlp;
    a.x = i > 0 ? list[i - 1].mlp.y : s.embeds ? s.embedding.y : a.x;
    fill(a.stats, stats, NORM_STATS);
    fill(a.qkv, qkv, (size_t)a.heads.qkv_width());
    fill(a.mixed, mixed, (size_t)a.heads.q_width());
    fill(a.lse, lse, (size_t)a.heads.count);
    fill(a.y, attended, width);
    fill(m.stats, stats, NORM_STATS);
    fill(m.y, s.picks && i + 1 == s.count ? picked : flow, width);  // picked rows come from all over flow
    m.x = a.y;
  }
  s.list = list;
  return s;
}

static void embed_rows(const TokenEmbedding& e, int width, int begin, int n) {
  float* y = e.y + (size_t)begin * width;
  gather_rows(e.table, e.ids + begin, n, width, y);
  if (!e.position_table) return;
  for (int i = 0; i < n; i++, y += width) {
    const float* position = e.position_table + (size_t)e.positions[begin + i] * width;
    for_lanes(width, [&](int c, int m) { store_up_to(y + c, load_up_to(y + c, m) + load_up_to(position + c, m), m); });
  }
}

// Rows [begin, begin + n) of the last layer's y → those of the norm's result.
static void norm_rows_of(const DecoderLayers& s, const MlpBlock& last, int begin, int n) {
  const size_t at = (size_t)begin * last.width;
  norm_range(last.y + at, n, last.width, s.norm, s.normal + at, s.stats + (size_t)begin * NORM_STATS);
}

// The rows of the last layer that go on behind its attention: their mixed heads and their x, in a row.
struct Picked {
  float *mixed, *x;
};

static Picked pick_rows(Scratch& scratch, const DecoderLayers& s, const AttentionBlock& a, int begin, int n) {
  const int q = a.heads.q_width();
  const Picked picked{scratch.floats((size_t)n * (size_t)q), scratch.floats((size_t)n * (size_t)a.width)};
  gather_rows(a.mixed, s.rows + begin, n, q, picked.mixed);
  gather_rows(a.x, s.rows + begin, n, a.width, picked.x);
  return picked;
}

// The packed weights of what comes next in a forward pass.
struct PackedWeights {
  float *qkv, *o, *up, *down;
};

// A layer's attention, and beside it the packing of what follows.
static void attend_and_pack(const AttentionBlock& a, const MlpBlock& m, const AttentionBlock* next,
                            const PackedWeights& to) {
  Scratch local;
  const MlpBlock mlp = merged(local, m);
  PackTasks packs;
  packs.add({o_stack(merged_out(local, a)), false, to.o});
  packs.add({up_stack(mlp), false, to.up});
  packs.add({down_stack(mlp), false, to.down});
  if (next) packs.add({qkv_stack(merged_in(local, *next)), false, to.qkv});
  const Attention inner = inner_attention(a);
  const auto attend = [&](int task) { attention_task(inner, task); };
  parallel_sections(section(attention_tasks(inner), attend), packs);
}

static void decoder_layers(const DecoderLayers& asked) {
  Scratch scratch;
  const DecoderLayers s = connect(scratch, asked);
  const DecoderLayer* layers = s.list;
  const AttentionBlock& first = layers[0].attention;
  const int rows = rows_of(first), width = first.width, q = first.heads.q_width();
  const float* angles = rotary_angles(first);  // of the layer whose queries come next
  float* qkv = scratch.floats(packed_size(first.heads.qkv_width(), width));
  float* o = scratch.floats(packed_size(width, q));
  float* up = scratch.floats(packed_size(hidden_width(layers[0].mlp), width));
  float* down = scratch.floats(packed_size(width, layers[0].mlp.inner));
  const float* bias_in = qkv_bias(scratch, first);
  {
    Scratch local;
    const Packing begin_with{qkv_stack(merged_in(local, first)), false, qkv};
    pack(&begin_with, 1);
  }
  const RowBlocks blocks = row_blocks(rows, num_weights(first) + num_weights(layers[0].mlp));
  parallel_blocks(blocks, [&](int begin, int n, int) {
    if (s.embeds) embed_rows(s.embedding, width, begin, n);
    attention_in(first, qkv, bias_in, angles, begin, n);
  });
  for (int i = 0; i < s.count; i++) {
    const AttentionBlock& a = layers[i].attention;
    const MlpBlock& m = layers[i].mlp;
    const AttentionBlock* next = i + 1 < s.count ? &layers[i + 1].attention : nullptr;
    attend_and_pack(a, m, next, {qkv, o, up, down});
    const float* bias_up = up_bias(scratch, m);
    if (!next && s.picks) {
      parallel_blocks(row_blocks(s.num_rows, num_weights(m)), [&](int begin, int n, int) {
        Scratch local;
        const Picked picked = pick_rows(local, s, a, begin, n);
        attention_out(a, o, picked.mixed, picked.x, n, a.y + (size_t)begin * width);
        mlp_rows(m, up, down, bias_up, begin, n);
        if (s.normalizes) norm_rows_of(s, m, begin, n);
      });
      return;
    }
    if (next) bias_in = qkv_bias(scratch, *next), angles = rotary_angles(*next);
    parallel_blocks(blocks, [&](int begin, int n, int) {
      const size_t at = (size_t)begin * width;
      attention_out(a, o, a.mixed + (size_t)begin * q, a.x + at, n, a.y + at);
      mlp_rows(m, up, down, bias_up, begin, n);
      if (next)
        attention_in(*next, qkv, bias_in, angles, begin, n);
      else if (s.normalizes)
        norm_rows_of(s, m, begin, n);
    });
  }
}

// ---- backward ----

static ScatterTasks token_grads(const DecoderLayers& s, const DecoderLayersGrad& g, const float* dx) {
  const AttentionBlock& first = s.list[0].attention;
  const int width = s.embeds && g.embedding.table ? first.width : 0;  // without: no task
  return {s.embedding.ids, rows_of(first), dx, s.embedding.vocab, width, g.embedding.table};
}

static ScatterTasks position_grads(const DecoderLayers& s, const DecoderLayersGrad& g, const float* dx) {
  const TokenEmbedding& e = s.embedding;
  const AttentionBlock& first = s.list[0].attention;
  const int width = s.embeds && e.position_table ? first.width : 0;  // without: no task
  return {e.positions, rows_of(first), dx, e.max_positions, width, g.embedding.position_table};
}

static void layers_grad_by_block(const DecoderLayers& s, const DecoderLayersGrad& g, const float* dy, float* dx) {
  Scratch scratch;
  const DecoderLayer* layers = s.list;
  const DecoderLayerGrad* grads = g.list;
  const int rows = rows_of(layers[0].attention), width = layers[0].attention.width;
  if (s.normalizes) {
    const MlpBlock& last = layers[s.count - 1].mlp;
    float* flow = scratch.floats((size_t)last.rows * (size_t)width);
    norm_backward(last.y, last.rows, width, s.norm, s.stats, dy, flow, g.norm);
    dy = flow;
  }
  if (s.embeds) dx = scratch.floats((size_t)rows * (size_t)width);
  float* dattended = scratch.floats((size_t)rows * (size_t)width);
  for (int i = s.count - 1; i >= 0; i--) {
    if (s.picks && i + 1 == s.count) {
      Scratch local;
      float* dpicked = local.floats((size_t)s.num_rows * (size_t)width);
      mlp_block_grad(layers[i].mlp, grads[i].mlp, dy, dpicked);
      embedding_backward(s.rows, s.num_rows, dpicked, rows, width, dattended);
    } else {
      mlp_block_grad(layers[i].mlp, grads[i].mlp, dy, dattended);
    }
    attention_block_grad(layers[i].attention, grads[i].attention, dattended, dx);
    dy = dx;
  }
  if (!s.embeds) return;
  const ScatterTasks tokens = token_grads(s, g, dx), positions = position_grads(s, g, dx);
  parallel_sections(tokens, positions);
}

// The backward pass of a small model, a region with rows and one with attention for each layer: what a
// layer's rows leave behind is read beside its attention, the weights for the next rows are packed there.
class LayersGrad {
 public:
  LayersGrad(const DecoderLayers& s, const DecoderLayersGrad& g, float* dx)
      : s_(s), g_(g), layers_(s.list), grads_(g.list), rows_(rows_of(layers_[0].attention)),
        width_(layers_[0].attention.width), q_(layers_[0].attention.heads.q_width()),
        dattended_(dx ? dx : scratch_.floats((size_t)rows_ * (size_t)width_)),
        blocks_(row_blocks(rows_, num_weights(layers_[0].attention) + num_weights(layers_[0].mlp))),
        attention_(scratch_, layers_[0].attention, imax(rows_, s.num_rows), true),
        mlp_(scratch_, layers_[0].mlp, imax(rows_, s.num_rows)), attention_sums_(scratch_, blocks_, width_),
        mlp_sums_(scratch_, blocks_, width_),
        last_blocks_(s.picks ? row_blocks(s.num_rows, num_weights(layers_[0].mlp)) : blocks_),
        last_sums_(scratch_, last_blocks_, width_), norm_sums_(scratch_, last_blocks_, width_) {}

  void run(const float* dy) {
    PackTasks packs;
    const int last = s_.count - 1;
    add_packs(packs, layers_[last]);
    parallel(packs);
    for (int i = last; i >= 0; i--) {
      const bool picks = s_.picks && i == last;
      attention_.outputs = picks ? s_.num_rows : rows_;
      if (picks)
        picked_rows(dy);
      else
        all_rows(i, dy);
      beside_attention(i, i == last ? last_sums_ : mlp_sums_);
    }
    first_rows();
  }

 private:
  Scratch scratch_;
  const DecoderLayers& s_;
  const DecoderLayersGrad& g_;
  const DecoderLayer* layers_;
  const DecoderLayerGrad* grads_;
  const int rows_, width_, q_;
  float* dattended_;  // in the memory of dx
  const RowBlocks blocks_;
  AttentionGradMemory attention_;
  const MlpGradMemory mlp_;
  const NormSums attention_sums_, mlp_sums_;
  const RowBlocks last_blocks_;
  const NormSums last_sums_, norm_sums_;

  void add_packs(PackTasks& packs, const DecoderLayer& layer) const {
    packs.add({down_stack(layer.mlp), true, mlp_.weights_down});
    packs.add({up_stack(layer.mlp), true, mlp_.weights_up});
    packs.add({o_stack(layer.attention), true, attention_.weights_o});
  }

  // n rows of the gradient of the last layer's y: those of dy, behind the norm where there is one.
  const float* last_flow(Scratch& local, const float* dy, int begin, int n, int block) const {
    const float* rows = dy + (size_t)begin * width_;
    if (!s_.normalizes) return rows;
    float *flow = local.floats((size_t)n * (size_t)width_), *sums = norm_sums_.of(block);
    memset(sums, 0, sizeof(float) * 2 * (size_t)width_);
    for (int i = 0; i < n; i++) {
      const size_t at = (size_t)i * width_, r = (size_t)(begin + i);
      norm_grad_row(layers_[s_.count - 1].mlp.y + r * width_, width_, s_.norm, s_.stats + r * NORM_STATS, rows + at,
                    nullptr, flow + at, sums, s_.norm.bias ? sums + width_ : nullptr);
    }
    return flow;
  }

  // From the attention of the layer above, or from dy, down to that of layer i.
  void all_rows(int i, const float* dy) const {
    const AttentionBlock* above = i + 1 < s_.count ? &layers_[i + 1].attention : nullptr;
    const AttentionBlock& below = layers_[i].attention;
    const float* angles = above ? rotary_angles(*above) : nullptr;
    parallel_blocks(blocks_, [&](int begin, int n, int block) {
      Scratch local;
      const size_t at = (size_t)begin * width_, mixed_at = (size_t)begin * q_;
      float* dattended = dattended_ + at;
      const float* flow;
      if (above) {
        float* own = local.floats((size_t)n * (size_t)width_);
        attention_in_grad(*above, attention_, angles, dattended, begin, n, own, attention_sums_.of(block));
        flow = own;
      } else {
        flow = last_flow(local, dy, begin, n, block);
      }
      const NormSums& sums = above ? mlp_sums_ : last_sums_;
      mlp_rows_grad(layers_[i].mlp, mlp_, flow, begin, n, dattended, sums.of(block));
      attention_out_grad(below, attention_, dattended, below.mixed + mixed_at, begin, n, attention_.dmixed + mixed_at);
    });
  }

  // The same for the last layer, of which only some rows went on.
  void picked_rows(const float* dy) const {
    Scratch scratch;
    const DecoderLayer& layer = layers_[s_.count - 1];
    float* dattended = scratch.floats((size_t)s_.num_rows * (size_t)width_);
    float* dmixed = scratch.floats((size_t)s_.num_rows * (size_t)q_);
    parallel_blocks(last_blocks_, [&](int begin, int n, int block) {
      Scratch local;
      const size_t at = (size_t)begin * width_, mixed_at = (size_t)begin * q_;
      float* mixed = local.floats((size_t)n * (size_t)q_);
      gather_rows(layer.attention.mixed, s_.rows + begin, n, q_, mixed);
      const float* flow = last_flow(local, dy, begin, n, block);
      mlp_rows_grad(layer.mlp, mlp_, flow, begin, n, dattended + at, last_sums_.of(block));
      attention_out_grad(layer.attention, attention_, dattended + at, mixed, begin, n, dmixed + mixed_at);
    });
    const ScatterTasks attended{s_.rows, s_.num_rows, dattended, rows_, width_, dattended_};
    const ScatterTasks mixed{s_.rows, s_.num_rows, dmixed, rows_, q_, attention_.dmixed};
    parallel_sections(attended, mixed);
  }

  void beside_attention(int i, const NormSums& mlp_sums) const {
    const DecoderLayer& layer = layers_[i];
    const bool above = i + 1 < s_.count;
    Scratch local;
    PackTasks packs;
    MapGrads grads(local);
    packs.add({qkv_stack(layer.attention), true, attention_.weights_qkv});
    if (i > 0) add_packs(packs, layers_[i - 1]);
    add_mlp_grads(layer.mlp, mlp_, grads_[i].mlp, grads);
    add_out_grads(layer.attention, attention_, grads_[i].attention, grads);
    if (above) add_in_grads(layers_[i + 1].attention, attention_, grads_[i + 1].attention, grads);
    const Attention inner = inner_attention(layer.attention);
    const AttentionGrad inner_grads = attention_.gradients(layer.attention);
    const auto attend = [&](int task) { attention_grad_task(inner, inner_grads, task); };
    const auto finish = [&](int task) {
      if (task == 0) mlp_sums.finish(grads_[i].mlp.norm);
      if (task == 1) attention_sums_.finish(grads_[i + 1].attention.norm);
    };
    parallel_sections(section(attention_tasks(inner), attend), packs, grads.products(), grads.biases(),
                      section(above ? 2 : 1, finish));
  }

  void first_rows() const {
    const AttentionBlock& first = layers_[0].attention;
    const float* angles = rotary_angles(first);
    parallel_blocks(blocks_, [&](int begin, int n, int block) {
      float* rows = dattended_ + (size_t)begin * width_;
      attention_in_grad(first, attention_, angles, rows, begin, n, rows, attention_sums_.of(block));
    });
    Scratch local;
    MapGrads grads(local);
    add_in_grads(first, attention_, grads_[0].attention, grads);
    const auto finish = [&](int task) {
      if (task == 0) attention_sums_.finish(grads_[0].attention.norm);
      if (task == 1) norm_sums_.finish(g_.norm);
    };
    const ScatterTasks tokens = token_grads(s_, g_, dattended_), positions = position_grads(s_, g_, dattended_);
    parallel_sections(grads.products(), grads.biases(), section(s_.normalizes ? 2 : 1, finish), tokens, positions);
  }
};

static void decoder_layers_grad(const DecoderLayers& asked, const DecoderLayersGrad& g, const float* dy, float* dx) {
  Scratch scratch;
  const DecoderLayers s = connect(scratch, asked);
  if (is_small(s))
    LayersGrad(s, g, dx).run(dy);
  else
    layers_grad_by_block(s, g, dy, dx);
}

}  // namespace ISA
}  // namespace stagecraft
