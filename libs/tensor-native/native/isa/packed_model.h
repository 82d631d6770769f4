// A model's weights, packed once as the products of a decoder read them.
#pragma once
#include <cstddef>
#include <cstring>

#include "../arena.h"
#include "../kernels.h"
#include "gemm.h"
#include "linear.h"
#include "vec.h"

namespace stagecraft {
namespace ISA {

struct Buffer {
  float* data = nullptr;
  size_t size = 0;
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { large_free(data); }
  void allocate(size_t floats) {
    size = floats + PANEL;
    data = (float*)weight_alloc(size * sizeof(float));
  }
  void allocate_cache(size_t floats, bool dense) {
    size = floats + PANEL;
    data = (float*)cache_alloc(size * sizeof(float), dense);
  }
  void copy(const float* from, size_t n) {
    if (!data) allocate(n);
    memcpy(data, from, n * sizeof(float));
  }
};

struct PackedLinear {
  Buffer weight, bias;
  bool has_bias = false;
  int in = 0, out = 0;

  void load(const float* const* weights, const float* const* biases, const int* rows, int count, int width) {
    Stack stack{{}, {}, count, width};
    for (int i = 0; i < count; i++) {
      stack.parts[i] = weights[i];
      stack.rows[i] = rows[i];
    }
    in = width;
    out = stack.total();
    if (!weight.data) weight.allocate(packed_size(out, in));
    pack_weights(stack, weight.data);
    Scratch scratch;
    const float* joined = joined_bias(scratch, biases, rows, count);
    has_bias = joined != nullptr;
    if (joined) bias.copy(joined, (size_t)out);
  }
  void apply(const float* x, int rows, Output to) const {
    to.bias = has_bias ? bias.data : nullptr;
    multiply({rows, out, in, rows_of(x, in), weight.data, to});
  }
};

struct DecoderNorm {
  Buffer weight, bias;
  bool has_bias = false;
  void load(const float* w, const float* b, int width) {
    if (w) weight.copy(w, (size_t)width);
    has_bias = b != nullptr;
    if (b) bias.copy(b, (size_t)width);
  }
  Norm view(const DecoderConfig& c) const {
    return {weight.data, has_bias ? bias.data : nullptr, c.eps, c.layer_norm};
  }
  Norm of_heads(const DecoderConfig& c) const { return {weight.data, nullptr, c.eps, false}; }
};

struct PackedLayer {
  DecoderNorm attention_norm, mlp_norm, q_norm, k_norm, attention_post_norm, mlp_post_norm;
  PackedLinear qkv, output, hidden, down;
};

class PackedModel final : public DecoderModel {
 public:
  explicit PackedModel(const DecoderConfig& config) : layers(new PackedLayer[(size_t)config.layers]), c(config) {}
  ~PackedModel() override { delete[] layers; }

  void load(const float* const* t) override {
    const int width = c.width, q = c.heads.q_width(), kv = c.heads.kv_width();
    const float* table = *t++;
    embedding.copy(table, (size_t)c.vocab * (size_t)width);
    if (c.learned_positions) positions.copy(*t++, (size_t)c.max_positions * (size_t)width);
    for (int l = 0; l < c.layers; l++, t += DECODER_LAYER_TENSORS) {
      PackedLayer& layer = layers[l];
      layer.attention_norm.load(t[0], t[1], width);
      const float *w[] = {t[2], t[4], t[6]}, *b[] = {t[3], t[5], t[7]};
      const int rows[] = {q, kv, kv};
      layer.qkv.load(w, b, rows, 3, width);
      load_one(layer.output, t[8], t[9], width, q);
      layer.mlp_norm.load(t[10], t[11], width);
      const float *mw[] = {t[12], t[14]}, *mb[] = {t[13], t[15]};
      const int first = c.gated ? 0 : 1, inner_rows[] = {c.inner, c.inner};
      layer.hidden.load(mw + first, mb + first, inner_rows, 2 - first, width);
      load_one(layer.down, t[16], t[17], width, c.inner);
      layer.q_norm.load(t[18], nullptr, c.q_norm_width());
      layer.k_norm.load(t[19], nullptr, c.k_norm_width());
      layer.attention_post_norm.load(t[20], t[21], width);
      layer.mlp_post_norm.load(t[22], t[23], width);
    }
    final_norm.load(t[0], t[1], width);
    load_one(head, t[2], nullptr, c.vocab, width);
  }

  size_t bytes() const override {
    size_t total = embedding.size + positions.size + head.weight.size;
    for (int l = 0; l < c.layers; l++)
      total += layers[l].qkv.weight.size + layers[l].output.weight.size + layers[l].hidden.weight.size +
               layers[l].down.weight.size;
    return total * sizeof(float);
  }

  PackedLayer* const layers;
  Buffer embedding, positions;
  DecoderNorm final_norm;
  PackedLinear head;

 private:
  const DecoderConfig c;

  static void load_one(PackedLinear& linear, const float* w, const float* b, int out, int in) {
    linear.load(&w, &b, &out, 1, in);
  }
};

static DecoderModel* create_model(const DecoderConfig& config) { return new PackedModel(config); }

}  // namespace ISA
}  // namespace stagecraft
