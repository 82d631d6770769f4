// Decoding with a KV cache: a whole model's forward pass over new tokens of many sequences at once.
// Keys and values are kept packed as attention reads them. The arithmetic
// is that of the training kernels, so log-probabilities agree with the trainer's.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "../pool.h"
#include "../rotary_table.h"
#include "attention.h"
#include "blocks.h"
#include "gemm.h"
#include "norm.h"
#include "packed_model.h"
#include "parallel.h"
#include "rotary.h"
#include "sample.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

// Slots up to this length fill so densely that large pages waste little. Attention then reads its
// cache at twice the speed.
constexpr int DENSE_LENGTH = 128;

// Tokens that a thread must have for reading all weights by itself: few while they lie in a cache that
// the cores share.
constexpr size_t SHARED_WEIGHT_BYTES = 8 << 20;
constexpr int MIN_GROUP = 8, MIN_GROUP_LARGE = 128;

// Keys and values of one layer.
struct LayerCache {
  Buffer keys;    // [slot][kv head][panel of keys][size][PANEL]
  Buffer values;  // [slot][kv head][panel][length][PANEL]
};

// One new token: which row of the call it belongs to, its slot and its place in the sequence.
struct NewToken {
  int slot, position, id;
};

class PackedDecoder final : public Decoder {
 public:
  explicit PackedDecoder(const DecoderConfig& config) : c(config) {
    caches = new LayerCache[(size_t)c.layers];
    lengths = new int[(size_t)c.max_sequences]();
    capacity = ceil_div(c.max_length, PANEL) * PANEL;
    key_size = (size_t)capacity * (size_t)c.heads.size;
    value_size = (size_t)capacity * (size_t)(ceil_div(c.heads.size, PANEL) * PANEL);
    const size_t heads = (size_t)c.max_sequences * (size_t)c.heads.kv_count;
    for (int l = 0; l < c.layers; l++) {
      caches[l].keys.allocate_cache(heads * key_size, capacity <= DENSE_LENGTH);
      caches[l].values.allocate_cache(heads * value_size, capacity <= DENSE_LENGTH);
    }
    segments = new int32_t[(size_t)capacity + PANEL];
    first = new int[(size_t)capacity + PANEL]();
    for (int i = 0; i < capacity + PANEL; i++) segments[i] = 1;
  }
  ~PackedDecoder() override {
    delete[] caches;
    delete[] lengths;
    delete[] segments;
    delete[] first;
  }

  void use(const DecoderModel* weights) override { model = static_cast<const PackedModel*>(weights); }
  int length(int slot) const override { return lengths[slot]; }
  void truncate(int slot, int length) override { lengths[slot] = length; }

  void fork(int from, int to, int length) override {
    for (int l = 0; l < c.layers; l++)
      for (int h = 0; h < c.heads.kv_count; h++) {
        const int panels = ceil_div(length, PANEL);
        memcpy(keys_of(l, to, h), keys_of(l, from, h),
               sizeof(float) * (size_t)panels * PANEL * (size_t)c.heads.size);
        for (int p = 0; p * PANEL < c.heads.size; p++)
          memcpy(values_of(l, to, h) + (size_t)p * capacity * PANEL,
                 values_of(l, from, h) + (size_t)p * capacity * PANEL, sizeof(float) * (size_t)length * PANEL);
      }
    lengths[to] = length;
  }

  size_t bytes() const override {
    size_t total = 0;
    for (int l = 0; l < c.layers; l++) total += caches[l].keys.size + caches[l].values.size;
    return total * sizeof(float);
  }

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
      attend_rows(l, rows, count, tokens, qkv, mixed, last);
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
    for (int r = 0; r < count; r++) lengths[rows[r].slot] += rows[r].count;
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

  LayerCache* caches;
  int* lengths;
  int capacity;
  size_t key_size, value_size;
  int32_t* segments;  // all 1: a slot holds one segment
  int* first;         // all 0

  float* keys_of(int layer, int slot, int h) const {
    return caches[layer].keys.data + ((size_t)slot * c.heads.kv_count + h) * key_size;
  }
  float* values_of(int layer, int slot, int h) const {
    return caches[layer].values.data + ((size_t)slot * c.heads.kv_count + h) * value_size;
  }

  void spread(const DecoderRow* rows, int count, NewToken* tokens) const {
    for (int r = 0, at = 0; r < count; r++)
      for (int i = 0; i < rows[r].count; i++)
        tokens[at++] = {rows[r].slot, lengths[rows[r].slot] + i, rows[r].ids[i]};
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

  // One new token against `count` keys, for all query heads of key heads [kv0, kv1): what attend()
  // computes, with the sums of several heads and panels advancing together.
  void attend_one(int l, int slot, int kv0, int kv1, const float* q, int count, float* mixed) const {
    Scratch scratch;
    const int size = c.heads.size, group = c.heads.count / c.heads.kv_count;
    const int first_head = kv0 * group, heads = (kv1 - kv0) * group;
    const Scores how = scores_of(l);
    const int first_key = first_key_of(how, 0, count - 1), skip = first_key / PANEL;  // panels that nobody sees
    const int from = skip * PANEL;
    const int key_panels = ceil_div(count, PANEL), value_panels = ceil_div(size, PANEL);
    const int stride = key_panels * PANEL, most = imax(key_panels, value_panels) * heads;
    float* scores = scratch.floats((size_t)heads * (size_t)stride);
    float* totals = scratch.floats((size_t)heads);
    Stream* streams = (Stream*)scratch.ints((size_t)most * sizeof(Stream) / sizeof(int));
    for (int kv = kv0; kv < kv1; kv++)
      for (int p = 0; p < value_panels; p++)
        prefetch(values_of(l, slot, kv) + ((size_t)p * (size_t)capacity + (size_t)from) * PANEL,
                 (size_t)(count - from) * PANEL);
    int n = 0;
    for (int h = 0; h < heads; h++)
      for (int p = skip; p < key_panels; p++)
        streams[n++] = {q + (size_t)(first_head + h) * size,
                        keys_of(l, slot, kv0 + h / group) + (size_t)p * PANEL * size, size,
                        scores + (size_t)h * stride + p * PANEL, PANEL};
    run_streams(streams, n);
    n = 0;
    for (int h = 0; h < heads; h++) {
      float top, *row = scores + (size_t)h * stride;
      const int end = ceil_div(count, W) * W;
      if (how.softcap > 0) cap_scores(row, from, end, how);
      totals[h] = masked_exp(row, from, end, first_key, count - 1, segments, 1, how.softcap > 0 ? 1.f : how.scale, &top);
      for (int p = 0; p < value_panels; p++)
        streams[n++] = {row + from,
                        values_of(l, slot, kv0 + h / group) + ((size_t)p * (size_t)capacity + (size_t)from) * PANEL,
                        count - from, mixed + (size_t)(first_head + h) * size + p * PANEL, size - p * PANEL};
    }
    run_streams(streams, n);
    for (int h = 0; h < heads; h++) {
      float* out = mixed + (size_t)(first_head + h) * size;
      const float inverse = 1.f / totals[h];
      for_lanes(size, [&](int i, int m) { store_up_to(out + i, load_up_to(out + i, m) * inverse, m); });
    }
  }

  Scores scores_of(int l) const { return {c.attention_scale, c.attention_softcap, c.layer_options[l].window}; }

  static void prefetch(const float* p, size_t floats) {
    for (size_t i = 0; i < floats; i += 16) __builtin_prefetch(p + i);
  }

  // Rotates the query heads of `kv` and its key in a row of qkv, and puts key and value into the cache.
  void store_token(int l, int slot, int kv, int position, const float* angles, float* row) const {
    const int size = c.heads.size, group = c.heads.count / c.heads.kv_count;
    float* k = row + c.heads.q_width() + (size_t)kv * size;
    if (angles) {
      const int half = c.layer_options[l].rope.pairs;
      const float* angle = angles + (size_t)position * 2 * (size_t)half;
      rotate_head(k, half, angle, 1.f, k);
      for (int g = 0; g < group; g++) {
        float* q = row + (size_t)(kv * group + g) * size;
        rotate_head(q, half, angle, 1.f, q);
      }
    }
    float* key = keys_of(l, slot, kv) + (size_t)(position / PANEL) * PANEL * size + position % PANEL;
    for (int d = 0; d < size; d++) key[(size_t)d * PANEL] = k[d];
    const float* v = k + c.heads.kv_width();
    float* values = values_of(l, slot, kv);
    for (int p = 0; p * PANEL < size; p++)
      memcpy(values + ((size_t)p * capacity + position) * PANEL, v + p * PANEL,
             sizeof(float) * (size_t)imin(PANEL, size - p * PANEL));
  }

  // Rotates, stores the new keys and values, and attends; one task per row of the call and key head.
  // With `last_only` just for the last token of each row, into the first rows of `mixed`.
  void attend_rows(int l, const DecoderRow* rows, int count, const NewToken* tokens, float* qkv,
                   float* mixed, bool last_only) const {
    const int size = c.heads.size, kv_count = c.heads.kv_count, group = c.heads.count / kv_count;
    const int stride = c.heads.qkv_width();
    const Rope& rope = c.layer_options[l].rope;
    const float* angles = rope.pairs > 0 ? rotary_table(rope, c.max_length) : nullptr;
    const int pairs = count * kv_count, chunk = imax(1, pairs / 16);
    parallel(ceil_div(pairs, chunk), [&](int task) {
      for (int pair = task * chunk, next; pair < imin(pairs, (task + 1) * chunk); pair = next) {
        const int r = pair / kv_count, kv0 = pair % kv_count;
        next = imin(imin(pairs, (task + 1) * chunk), imin(pair + 4, (r + 1) * kv_count));
        const int kv1 = kv0 + next - pair;
        int at = 0;
        for (int i = 0; i < r; i++) at += rows[i].count;
        const int slot = rows[r].slot, begin = tokens[at].position, new_rows = rows[r].count;
        float* row = qkv + (size_t)at * stride;
        for (int kv = kv0; kv < kv1; kv++)
          for (int i = 0; i < new_rows; i++) store_token(l, slot, kv, begin + i, angles, row + (size_t)i * stride);
        const int attending = last_only ? new_rows - 1 : 0;
        float* out = mixed + (size_t)(last_only ? r : at) * c.heads.q_width();
        if (attending == new_rows - 1) {
          attend_one(l, slot, kv0, kv1, row + (size_t)attending * stride, begin + new_rows, out);
          continue;
        }
        for (int g = kv0 * group; g < kv1 * group; g++) {
          const size_t h = (size_t)g * size;
          attend({{row + h, (size_t)stride, 1}, new_rows, begin, size, keys_of(l, slot, g / group),
                  values_of(l, slot, g / group), capacity, segments, first, scores_of(l),
                  out + h, (size_t)c.heads.q_width(), nullptr, 0});
        }
      }
    });
  }
};

static Decoder* create_decoder(const DecoderConfig& config) { return new PackedDecoder(config); }

}  // namespace ISA
}  // namespace stagecraft
