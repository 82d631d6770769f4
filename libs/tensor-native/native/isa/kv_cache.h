// The keys and values of a decoder's sequences, packed as attention reads them, and attention over them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "../rotary_table.h"
#include "attention.h"
#include "packed_model.h"
#include "parallel.h"
#include "rotary.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

// Slots up to this length fill so densely that large pages waste little. Attention then reads its
// cache at twice the speed.
constexpr int DENSE_LENGTH = 128;

// Keys and values of one layer.
struct LayerCache {
  Buffer keys;    // [slot][kv head][panel of keys][size][PANEL]
  Buffer values;  // [slot][kv head][panel][length][PANEL]
};

// One new token: its slot, its place in the sequence and its id.
struct NewToken {
  int slot, position, id;
};

// Slots of all layers; the configuration has to outlive it.
class KvCache {
 public:
  explicit KvCache(const DecoderConfig& config) : c(config) {
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
  ~KvCache() {
    delete[] caches;
    delete[] lengths;
    delete[] segments;
    delete[] first;
  }
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  int length(int slot) const { return lengths[slot]; }
  void set_length(int slot, int length) { lengths[slot] = length; }

  void fork(int from, int to, int length) {
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

  size_t bytes() const {
    size_t total = 0;
    for (int l = 0; l < c.layers; l++) total += caches[l].keys.size + caches[l].values.size;
    return total * sizeof(float);
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

 private:
  const DecoderConfig& c;
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
};

}  // namespace ISA
}  // namespace stagecraft
