// Drawing tokens: from the softmax at a temperature, of all tokens or of those that the filters leave.
// sampling.ts of libs/model is the definition.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "parallel.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

constexpr int SUM_BLOCK = 256;  // weights added in fp32; the sums of blocks in double precision

// Weights e^((z − best)/T) of one row, the largest being 1, padded with zeros to whole blocks.
struct RowWeights {
  float* values;
  double* blocks;  // sum of each block
  int num_blocks;
  double total;
};

static float largest_of(const float* z, int count) {
  vf most = splat(-__builtin_inff());
  int i = 0;
  for (; i + W <= count; i += W) most = vmax(load(z + i), most);
  float best = largest(most);
  for (; i < count; i++) best = z[i] > best ? z[i] : best;
  return best;
}

static int first_of(const float* z, int count, float value) {
  for (int i = 0; i < count; i++)
    if (z[i] == value) return i;
  return 0;
}

static RowWeights row_weights(Scratch& scratch, const float* z, int vocab, float inverse, float best) {
  const int num_blocks = ceil_div(vocab, SUM_BLOCK);
  RowWeights w{scratch.floats((size_t)num_blocks * SUM_BLOCK), scratch.doubles((size_t)num_blocks), num_blocks, 0};
  memset(w.values + vocab, 0, sizeof(float) * (size_t)(num_blocks * SUM_BLOCK - vocab));
  for (int b = 0; b < num_blocks; b++) {
    const int first = b * SUM_BLOCK;
    for_lanes(imin(SUM_BLOCK, vocab - first), [&](int i, int n) {
      store_up_to(w.values + first + i, vexp((load_up_to(z + first + i, n) - best) * inverse), n);
    });
    vf sums[4] = {};
    for (int i = 0; i < SUM_BLOCK; i += 4 * W)
      for (int s = 0; s < 4; s++) sums[s] += load(w.values + first + i + s * W);
    w.blocks[b] = sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
    w.total += w.blocks[b];
  }
  return w;
}

// The first index at which the running sum of weights passes `left`; rounding may run past the end,
// then the last index whose weight is not zero.
template <class F>
static int invert(int count, double left, const F& weight) {
  int chosen = 0;
  for (int i = 0; i < count; i++) {
    const double w = weight(i);
    if (w == 0) continue;
    chosen = i;
    left -= w;
    if (left < 0) break;
  }
  return chosen;
}

static int draw_from_all(const RowWeights& w, double uniform) {
  double left = uniform * w.total;
  int block = 0;
  while (block + 1 < w.num_blocks && left >= w.blocks[block]) left -= w.blocks[block++];
  while (block > 0 && w.blocks[block] == 0) left += w.blocks[--block];
  const float* values = w.values + (size_t)block * SUM_BLOCK;
  return block * SUM_BLOCK + invert(SUM_BLOCK, left, [&](int i) { return (double)values[i]; });
}

// ---- filters: a histogram of the weights finds the few that must be sorted (top-candidates.ts) ----

constexpr int NUM_BUCKETS = 1024;

// By the upper 13 bits of the float, 16 buckets to every factor of two, heaviest (1) first.
INLINE int bucket_of(float weight) {
  uint32_t bits;
  memcpy(&bits, &weight, sizeof bits);
  const int bucket = (int)(0x3f80u - (bits >> 16)) >> 3;
  return bucket < NUM_BUCKETS - 1 ? imax(bucket, 0) : NUM_BUCKETS - 1;
}

struct Histogram {
  int counts[NUM_BUCKETS];
  double masses[NUM_BUCKETS];
};

// The heaviest tokens up to a limit: how many, their mass, and the last one's weight.
struct Head {
  int count;
  double mass;
  float lightest;
};

static void sift_down(float* heap, int from, int count) {
  for (int child; (child = 2 * from + 1) < count; from = child) {
    if (child + 1 < count && heap[child + 1] < heap[child]) child++;
    if (heap[from] <= heap[child]) return;
    const float held = heap[from];
    heap[from] = heap[child];
    heap[child] = held;
  }
}

// Heaviest first.
static void sort_descending(float* values, int count) {
  for (int i = count / 2 - 1; i >= 0; i--) sift_down(values, i, count);
  for (int end = count - 1; end > 0; end--) {
    const float held = values[0];
    values[0] = values[end];
    values[end] = held;
    sift_down(values, 0, end);
  }
}

// Stops at the first token with which the count or the mass is reached.
static Head head_of(const float* weights, int vocab, const Histogram& histogram, int most, double mass_limit) {
  Head head{0, 0, 1};
  int bucket = 0;
  for (; bucket < NUM_BUCKETS - 1; bucket++) {
    const int count = head.count + histogram.counts[bucket];
    const double mass = head.mass + histogram.masses[bucket];
    if (count >= most || mass >= mass_limit) break;
    head.count = count;
    head.mass = mass;
  }
  Scratch scratch;
  float* members = scratch.floats((size_t)histogram.counts[bucket] + 1);
  int count = 0;
  for (int v = 0; v < vocab; v++)
    if (bucket_of(weights[v]) == bucket) members[count++] = weights[v];
  sort_descending(members, count);
  for (int i = 0; i < count; i++) {
    if (head.count >= most || (head.count > 0 && head.mass >= mass_limit)) break;
    head.count++;
    head.mass += members[i];
    head.lightest = members[i];
  }
  return head;
}

// Ids, ascending, that pass top-k, then top-p of what is left, then min-p; among equal weights the
// smaller id. Never empty.
static int candidates(const float* weights, int vocab, const Sample& s, int* ids) {
  Histogram histogram = {};
  for (int v = 0; v < vocab; v++) {
    const int bucket = bucket_of(weights[v]);
    histogram.counts[bucket]++;
    histogram.masses[bucket] += weights[v];
  }
  const int most = s.top_k > 0 && s.top_k < vocab ? s.top_k : vocab;
  const double no_limit = __builtin_inf();
  Head head = head_of(weights, vocab, histogram, most, no_limit);
  if (s.top_p < 1) head = head_of(weights, vocab, histogram, head.count, s.top_p * head.mass);
  const bool all_above = head.lightest < s.min_p;  // min-p is the stricter limit
  const float lightest = all_above ? (float)s.min_p : head.lightest;
  int ties = head.count, count = 0;
  for (int v = 0; v < vocab; v++) ties -= weights[v] > lightest;
  for (int v = 0; v < vocab; v++)
    if (weights[v] > lightest || (weights[v] == lightest && (all_above || ties-- > 0))) ids[count++] = v;
  return count;
}

static float* penalised(Scratch& scratch, const float* z, int vocab, const Sample& s) {
  float* copy = scratch.floats((size_t)vocab);
  memcpy(copy, z, sizeof(float) * (size_t)vocab);
  for (int i = 0; i < s.history_size; i++) {
    const int id = s.history[i];
    copy[id] = (float)(z[id] > 0 ? z[id] / s.penalty : z[id] * s.penalty);
  }
  return copy;
}

static int draw_filtered(Scratch& scratch, const RowWeights& w, int vocab, const Sample& s) {
  int* ids = scratch.ints((size_t)vocab);
  const int count = candidates(w.values, vocab, s, ids);
  double mass = 0;
  for (int i = 0; i < count; i++) mass += w.values[ids[i]];
  if (count == 0) return 0;  // the logits are not numbers
  return ids[invert(count, s.uniform * mass, [&](int i) { return (double)w.values[ids[i]]; })];
}

// The log-probability is NaN when the logits are not finite.
static void sample_row(const float* z, int vocab, const Sample& s, int32_t* id, float* log_prob) {
  Scratch scratch;
  const float inverse = s.temperature > 0 ? 1.f / s.temperature : 1.f;
  float best = largest_of(z, vocab);
  RowWeights w = row_weights(scratch, z, vocab, inverse, best);
  const float highest = best, log_total = (float)__builtin_log(w.total);
  const float* seen = z;
  if (s.penalty != 1) {
    seen = penalised(scratch, z, vocab, s);
    best = largest_of(seen, vocab);
    if (s.temperature > 0) w = row_weights(scratch, seen, vocab, inverse, best);
  }
  if (s.temperature == 0)
    *id = first_of(seen, vocab, best);
  else
    *id = s.filters() ? draw_filtered(scratch, w, vocab, s) : draw_from_all(w, s.uniform);
  const bool finite = w.total < __builtin_inf() && best - best == 0;
  *log_prob = finite ? (z[*id] - highest) * inverse - log_total : __builtin_nanf("");
}

static void sample(const float* logits, int count, int vocab, const Sample* samples, int32_t* ids,
                   float* log_probs) {
  parallel_rows(count, 16u * (size_t)vocab, [&](int begin, int end) {
    for (int r = begin; r < end; r++)
      sample_row(logits + (size_t)r * vocab, vocab, samples[r], ids + r, log_probs + r);
  });
}

}  // namespace ISA
}  // namespace stagecraft
