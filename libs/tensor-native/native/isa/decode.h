// Decoding with a KV cache: a whole model's forward pass over new tokens of many sequences at once.
// The arithmetic is that of the training kernels, so log-probabilities agree with the trainer's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "../pool.h"
#include "blocks.h"
#include "gemm.h"
#include "kv_cache.h"
#include "norm.h"
#include "packed_model.h"
#include "parallel.h"
#include "sample.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

// Tokens that a thread must have for reading all weights by itself: few while they lie in a cache that
// the cores share.
constexpr size_t SHARED_WEIGHT_BYTES = 8 << 20;
constexpr int MIN_GROUP = 8, MIN_GROUP_LARGE = 128;

class PackedDecoder final : public Decoder {
 public:
  explicit PackedDecoder(const DecoderConfig& config) : c(config), cache(c) {}

  void use(const DecoderModel* weights) override { model = static_cast<const PackedModel*>(weights); }
  int length(int slot) const override { return cache.length(slot); }
  void truncate(int slot, int length) override { cache.set_length(slot, length); }
  void fork(int from, int to, int length) override { cache.fork(from, to, length); }
  size_t bytes() const override { return cache.bytes(); }

  void append(const DecoderRow* rows, int count, float* logits) override {
    by_groups(rows, count, 1, [&](int begin, int end) {
      append_group(rows + begin, end - begin, logits + (size_t)begin * (size_t)c.vocab);
    });
  }

  void draw(const DecoderRow* rows, int count, Draw* draws) override {
    int steps = 1;
    for (int r = 0; r < count; r++) steps = imax(steps, draws[r].limit);
    by_groups(rows, count, steps, [&](int begin, int end) { draw_group(rows + begin, end - begin, draws + begin); });
  }

 private:
  DecoderConfig c;
  KvCache cache;
  const PackedModel* model = nullptr;

  // Where the weights are read often enough, every thread takes sequences of its own through all
  // layers: nothing is waited for, and what a sequence needs stays in one core's cache.
  template <class F>
  void by_groups(const DecoderRow* rows, int count, int steps, const F& body) const {
    int tokens = 0;
    for (int r = 0; r < count; r++) tokens += rows[r].count;
    const Burst burst(expected_seconds(tokens) + (steps - 1) * expected_seconds(count));
    const int threads = num_active_threads(), groups = imin(threads, count);
    const bool small = model->bytes() <= SHARED_WEIGHT_BYTES;
    if (groups < 2 || tokens < groups * (small ? MIN_GROUP : MIN_GROUP_LARGE)) return body(0, count);
    parallel(groups, [&](int g) {
      const int begin = first_row(rows, count, tokens, groups, g), end = first_row(rows, count, tokens, groups, g + 1);
      if (end > begin) body(begin, end);
    });
  }

  void draw_group(const DecoderRow* rows, int count, Draw* draws) {
    Scratch scratch;
    const size_t n = (size_t)count;
    float* logits = scratch.floats(n * (size_t)c.vocab);
    float* log_probs = scratch.floats(n);
    int32_t* ids = scratch.ints(n);
    DecoderRow* live = (DecoderRow*)scratch.ints(n * sizeof(DecoderRow) / sizeof(int));
    Sample* samples = (Sample*)scratch.ints(n * sizeof(Sample) / sizeof(int));
    int* place = scratch.ints(n);  // of a live row among `draws`
    for (int r = 0; r < count; r++) {
      live[r] = rows[r];
      place[r] = r;
      draws[r].drawn = 0;
    }
    while (count > 0) {
      append_group(live, count, logits);
      for (int r = 0; r < count; r++) {
        const Draw& draw = draws[place[r]];
        samples[r] = draw.sample;
        samples[r].uniform = (double)draw.uniforms[draw.drawn];
      }
      sample(logits, count, c.vocab, samples, ids, log_probs);
      int left = 0;
      for (int r = 0; r < count; r++) {
        Draw& draw = draws[place[r]];
        int32_t* id = draw.ids + draw.drawn;
        *id = ids[r];
        draw.log_probs[draw.drawn++] = log_probs[r];
        if (draw.drawn == draw.limit || *id == draw.end || log_probs[r] != log_probs[r]) continue;
        live[left] = {live[r].slot, id, 1};
        place[left++] = place[r];
      }
      count = left;
    }
  }

  void append_group(const DecoderRow* rows, int count, float* logits) {
    Scratch scratch;
    const int width = c.width, inner = c.inner, hidden = c.gated ? 2 * inner : inner;
    int total = 0;
    for (int r = 0; r < count; r++) total += rows[r].count;
    NewToken* tokens = (NewToken*)scratch.ints(3 * (size_t)total);
    spread(rows, count, tokens);
    const size_t n = (size_t)total;
    float* x = scratch.floats(n * width);
    float* normal = scratch.floats(n * width);
    float* stats = scratch.floats(n * NORM_STATS);
    float* qkv = scratch.floats(n * c.heads.qkv_width());
    float* mixed = scratch.floats(n * c.heads.q_width());
    float* wide = scratch.floats(n * hidden);
    float* active = scratch.floats(n * inner);
    const bool simple = c.is_plain();
    float* added = simple ? nullptr : scratch.floats(n * width);
    const auto norm = [&](const DecoderNorm& weights) -> const float* {
      if (!c.pre_norms) return x;
      norm_rows(x, total, width, weights.view(c), normal, stats);
      return normal;
    };
    // x += the block's result, with what this family does to it first
    const auto finish = [&](const PackedLinear& linear, const float* from, const DecoderNorm& post) {
      if (simple) return linear.apply(from, total, accumulate(x, width));
      linear.apply(from, total, plain(added, width));
      if (c.post_norms) norm_rows(added, total, width, post.view(c), added, stats);
      add_scaled(added, (size_t)total * (size_t)width, c.residual_scale, x);
    };
    embed(tokens, total, x);
    for (int l = 0; l < c.layers; l++) {
      const PackedLayer& layer = model->layers[l];
      layer.qkv.apply(norm(layer.attention_norm), total, plain(qkv, c.heads.qkv_width()));
      if (c.head_norms != NO_HEAD_NORMS) normalize_heads(layer, qkv, total);
      const bool last = l == c.layers - 1;
      cache.attend_rows(l, rows, count, tokens, qkv, mixed, last);
      if (last) total = keep_last(rows, count, x);
      if (!c.parallel) finish(layer.output, mixed, layer.attention_post_norm);
      const float* into = norm(layer.mlp_norm);
      layer.hidden.apply(into, total, plain(wide, hidden));
      if (c.parallel) finish(layer.output, mixed, layer.attention_post_norm);
      parallel_rows(total, 8u * (size_t)hidden, [&](int begin, int end) {
        for (int r = begin; r < end; r++)
          activate_row(wide + (size_t)r * hidden, inner, c.gated, c.activation, active + (size_t)r * inner);
      });
      finish(layer.down, active, layer.mlp_post_norm);
    }
    if (c.layers == 0) keep_last(rows, count, x);
    for (int r = 0; r < count; r++) cache.set_length(rows[r].slot, cache.length(rows[r].slot) + rows[r].count);
    norm_rows(x, count, width, model->final_norm.view(c), normal, stats);
    model->head.apply(normal, count, plain(logits, c.vocab));
    if (c.logit_divisor != 1.f || c.logit_softcap > 0) shape_logits(logits, (size_t)count * (size_t)c.vocab);
  }

  void shape_logits(float* logits, size_t size) const {
    over_lanes(size, [&](size_t i, int n) {
      const vf z = load_up_to(logits + i, n) / c.logit_divisor;
      store_up_to(logits + i, c.logit_softcap > 0 ? c.logit_softcap * tanh_of(z * (1.f / c.logit_softcap)) : z, n);
    });
  }

  // y += factor · x
  static void add_scaled(const float* x, size_t size, float factor, float* y) {
    over_lanes(size, [&](size_t i, int n) {
      store_up_to(y + i, load_up_to(y + i, n) + load_up_to(x + i, n) * factor, n);
    });
  }

  // RMSNorm of the queries and keys of every row, in place.
  void normalize_heads(const PackedLayer& layer, float* qkv, int total) const {
    const int stride = c.heads.qkv_width(), q = c.q_norm_width(), k = c.k_norm_width();
    parallel_rows(total, 8u * (size_t)stride, [&](int begin, int end) {
      Scratch scratch;
      float* stats = scratch.floats((size_t)(c.heads.count + c.heads.kv_count) * NORM_STATS);
      for (int r = begin; r < end; r++) {
        float *row = qkv + (size_t)r * stride, *keys = row + c.heads.q_width();
        norm_range(row, c.heads.q_width() / q, q, layer.q_norm.of_heads(c), row, stats);
        norm_range(keys, c.heads.kv_width() / k, k, layer.k_norm.of_heads(c), keys, stats);
      }
    });
  }

  // The row with which group g begins, so that groups have about as many tokens each.
  static int first_row(const DecoderRow* rows, int count, int tokens, int groups, int g) {
    const int64_t before = (int64_t)tokens * g / groups;
    int row = 0;
    for (int64_t seen = 0; row < count && seen < before; row++) seen += rows[row].count;
    return row;
  }

  // On one thread, roughly: arithmetic, and reading the weights.
  double expected_seconds(int tokens) const {
    const double weights = (double)model->bytes() / sizeof(float);
    return weights * (2.0 * tokens / 1e11 + sizeof(float) / 4e10);
  }

  void spread(const DecoderRow* rows, int count, NewToken* tokens) const {
    for (int r = 0, at = 0; r < count; r++)
      for (int i = 0; i < rows[r].count; i++)
        tokens[at++] = {rows[r].slot, cache.length(rows[r].slot) + i, rows[r].ids[i]};
  }

  void embed(const NewToken* tokens, int total, float* x) const {
    for (int i = 0; i < total; i++) {
      float* to = x + (size_t)i * c.width;
      memcpy(to, model->embedding.data + (size_t)tokens[i].id * c.width, sizeof(float) * (size_t)c.width);
      if (c.embedding_scale != 1.f)
        for_lanes(c.width, [&](int j, int n) { store_up_to(to + j, load_up_to(to + j, n) * c.embedding_scale, n); });
      if (!c.learned_positions) continue;
      const float* from = model->positions.data + (size_t)tokens[i].position * c.width;
      for_lanes(c.width, [&](int j, int n) { store_up_to(to + j, load_up_to(to + j, n) + load_up_to(from + j, n), n); });
    }
  }

  // Moves the last token of each row to the front: behind the last keys and values nobody needs the
  // others. Returns how many are left.
  int keep_last(const DecoderRow* rows, int count, float* x) const {
    const size_t width = (size_t)c.width;
    for (int r = 0, at = 0; r < count; r++) {
      at += rows[r].count;
      memmove(x + (size_t)r * width, x + (size_t)(at - 1) * width, sizeof(float) * width);
    }
    return count;
  }
};

static Decoder* create_decoder(const DecoderConfig& config) { return new PackedDecoder(config); }

}  // namespace ISA
}  // namespace stagecraft
