// Entries for attention and for the layers of a decoder.
#include <vector>

#include "args.h"
#include "entries.h"
#include "exports.h"
#include "kernels.h"
#include "read.h"

namespace stagecraft {
namespace {

Layout read_layout(const Args& args) {
  Layout layout{};
  layout.batch = args.integer("batch", 0, MAX_SIZE);
  layout.length = args.integer("length", 1, MAX_POSITION);
  if (int64_t(layout.batch) * layout.length > MAX_SIZE) args.fail("batch × length is too large");
  const size_t rows = size_t(layout.batch) * size_t(layout.length);
  layout.segments = args.optional_ints("segments", rows);
  layout.positions = args.optional_ints("positions", rows);
  if (layout.segments) check_ids(args, "segments", layout.segments, rows, 0, 0x7fffffff);
  if (layout.positions) check_ids(args, "positions", layout.positions, rows, 0, MAX_POSITION);
  return layout;
}

Heads read_heads(const Args& args) {
  const Heads heads{args.integer("numHeads", 1, 65536), args.integer("numKvHeads", 1, 65536),
                    args.integer("headSize", 1, 65536)};
  if (heads.count % heads.kv_count != 0) {
    args.fail("numHeads " + std::to_string(heads.count) + " is not a multiple of numKvHeads " +
              std::to_string(heads.kv_count));
  }
  if (int64_t(heads.count) * heads.size > MAX_SIZE) args.fail("numHeads × headSize is too large");
  return heads;
}

size_t rows_of(const Layout& layout) { return size_t(layout.batch) * size_t(layout.length); }

Attention read_attention(const Args& args) {
  Attention a{};
  a.layout = read_layout(args);
  a.heads = read_heads(args);
  a.scores = {args.number("attentionScale"), args.number("attentionSoftcap"), read_window(args)};
  const size_t rows = rows_of(a.layout), q = size_t(a.heads.q_width()), kv = size_t(a.heads.kv_width());
  a.q = args.floats("q", rows, q);
  a.k = args.floats("k", rows, kv);
  a.v = args.floats("v", rows, kv);
  a.q_stride = q;
  a.kv_stride = kv;
  a.mixed = args.floats("mixed", rows, q);
  a.lse = args.floats("lse", rows, size_t(a.heads.count));
  return a;
}

napi_value attention(napi_env, const Args& args) {
  kernels().attention(read_attention(args));
  return nullptr;
}

napi_value attention_grad(napi_env, const Args& args) {
  const Attention a = read_attention(args);
  const size_t rows = rows_of(a.layout), q = size_t(a.heads.q_width()), kv = size_t(a.heads.kv_width());
  kernels().attention_grad(a, {args.floats("dmixed", rows, q), args.floats("dq", rows, q),
                               args.floats("dk", rows, kv), args.floats("dv", rows, kv)});
  return nullptr;
}

NormGrad read_norm_grad(const Args& args, const char* weight, const char* bias, int width) {
  return {args.floats(weight, size_t(width)), args.optional_floats(bias, size_t(width))};
}

// Some layers of a decoder. Names of layer i end in i; the sizes are the same for all. With `ids` they begin
// with the embedding of the tokens, else with `x`; with `finalNormWeight` they end with that norm.
class LayersArgs {
 public:
  // Backward, everything that the forward pass keeps must be there; forward, `y` is the result.
  LayersArgs(const Args& args, bool backward) : args_(args), backward_(backward) {
    DecoderLayer shared{};
    const size_t outputs = read_sizes(shared);
    const size_t width = size_t(shared.mlp.width);
    const int count = args.integer("numLayers", 1, 4096);
    const float* x = read_input(shared.attention.layout, width);
    stack_.normalizes = args.has("finalNormWeight");
    float* const result = backward ? nullptr : args.floats("y", outputs, width);
    if (stack_.normalizes) read_norm(shared.mlp.norm, outputs, width, result);
    for (int i = 0; i < count; i++) {
      const bool last = i + 1 == count;
      const Args own = args.numbered(i);
      DecoderLayer layer = shared;
      layer.mlp.rows = int(last ? outputs : rows_of(layer.attention.layout));
      read_weights(own, layer);
      layer.attention.x = x;
      read_kept(own, layer);
      const bool is_result = last && !stack_.normalizes;
      layer.mlp.y = is_result ? result : kept(own, "y", size_t(layer.mlp.rows), width);
      x = layer.mlp.y;
      layers_.push_back(layer);
    }
    stack_.list = layers_.data();
    stack_.count = count;
  }

  const DecoderLayers& stack() const { return stack_; }

  DecoderLayersGrad gradients() {
    const int width = layers_[0].mlp.width;
    DecoderLayersGrad g{};
    for (int i = 0; i < stack_.count; i++) grads_.push_back(read_gradients(args_.numbered(i), layers_[size_t(i)]));
    g.list = grads_.data();
    if (stack_.normalizes) g.norm = read_norm_grad(args_, "dfinalNormWeight", "dfinalNormBias", width);
    const TokenEmbedding& e = stack_.embedding;
    if (stack_.embeds) g.embedding.table = args_.optional_floats("dtable", size_t(e.vocab), size_t(width));
    if (e.position_table)
      g.embedding.position_table = args_.floats("dpositionTable", size_t(e.max_positions), size_t(width));
    return g;
  }

 private:
  const Args& args_;
  const bool backward_;
  std::vector<DecoderLayer> layers_;
  std::vector<DecoderLayerGrad> grads_;
  DecoderLayers stack_{};

  float* kept(const Args& args, const char* name, size_t rows, size_t columns) const {
    return backward_ ? args.floats(name, rows, columns) : args.optional_floats(name, rows, columns);
  }

  // Returns the number of rows that leave the last layer.
  size_t read_sizes(DecoderLayer& shared) {
    AttentionBlock& a = shared.attention;
    MlpBlock& m = shared.mlp;
    a.layout = read_layout(args_);
    a.heads = read_heads(args_);
    m.width = a.width = args_.integer("width", 1, MAX_SIZE);
    m.inner = args_.integer("inner", 1, MAX_SIZE / 2);
    m.gated = args_.flag("gated");
    m.activation = read_activation(args_);
    a.scores = {args_.number("attentionScale"), args_.number("attentionSoftcap"), 0};
    a.norm.eps = m.norm.eps = args_.number("normEps");
    a.norm.layer = m.norm.layer = args_.flag("layerNorm");
    const size_t rows = rows_of(a.layout);
    stack_.picks = args_.has("rows");
    if (!stack_.picks) return rows;
    stack_.num_rows = args_.integer("numRows", 0, MAX_SIZE);
    stack_.rows = args_.ints("rows", size_t(stack_.num_rows));
    check_ids(args_, "rows", stack_.rows, size_t(stack_.num_rows), 0, int(rows));
    return size_t(stack_.num_rows);
  }

  const float* read_input(const Layout& layout, size_t width) {
    const size_t rows = rows_of(layout);
    stack_.embeds = args_.has("ids");
    if (!stack_.embeds) return args_.floats("x", rows, width);
    TokenEmbedding& e = stack_.embedding;
    e.vocab = args_.integer("vocab", 1, MAX_SIZE);
    e.ids = args_.ints("ids", rows);
    check_ids(args_, "ids", e.ids, rows, 0, e.vocab);
    e.table = args_.floats("table", size_t(e.vocab), width);
    if (args_.has("positionTable")) {
      e.max_positions = args_.integer("maxPositions", 1, MAX_SIZE);
      e.positions = args_.ints("positions", rows);
      check_ids(args_, "positions", e.positions, rows, 0, e.max_positions);
      e.position_table = args_.floats("positionTable", size_t(e.max_positions), width);
    }
    e.y = kept(args_, "embedded", rows, width);
    return e.y;
  }

  void read_norm(const Norm& kind, size_t rows, size_t width, float* result) {
    stack_.norm = kind;
    stack_.norm.weight = args_.floats("finalNormWeight", width);
    stack_.norm.bias = args_.optional_floats("finalNormBias", width);
    stack_.stats = kept(args_, "finalStats", rows, NORM_STATS);
    stack_.normal = result;
  }

  static void read_weights(const Args& args, DecoderLayer& layer) {
    AttentionBlock& a = layer.attention;
    MlpBlock& m = layer.mlp;
    const int q = a.heads.q_width(), kv = a.heads.kv_width(), width = a.width;
    a.rope = read_rope(args, a.heads.size);
    a.scores.window = read_window(args);
    a.norm.weight = args.floats("normWeight", size_t(width));
    a.norm.bias = args.optional_floats("normBias", size_t(width));
    a.q = read_linear(args, "q", q, width);
    a.k = read_linear(args, "k", kv, width);
    a.v = read_linear(args, "v", kv, width);
    a.o = read_linear(args, "o", width, q);
    m.norm.weight = args.floats("mlpNormWeight", size_t(width));
    m.norm.bias = args.optional_floats("mlpNormBias", size_t(width));
    if (m.gated) m.gate = read_linear(args, "gate", m.inner, width);
    m.up = read_linear(args, "up", m.inner, width);
    m.down = read_linear(args, "down", width, m.inner);
  }

  void read_kept(const Args& args, DecoderLayer& layer) const {
    AttentionBlock& a = layer.attention;
    MlpBlock& m = layer.mlp;
    const size_t rows = rows_of(a.layout), outputs = size_t(m.rows);
    a.stats = kept(args, "stats", rows, NORM_STATS);
    a.qkv = kept(args, "qkv", rows, size_t(a.heads.qkv_width()));
    a.mixed = kept(args, "mixed", rows, size_t(a.heads.q_width()));
    a.lse = kept(args, "lse", rows, size_t(a.heads.count));
    m.x = a.y = kept(args, "attended", outputs, size_t(a.width));
    m.stats = kept(args, "mlpStats", outputs, NORM_STATS);
    m.hidden = kept(args, "hidden", outputs, size_t(m.gated ? 2 * m.inner : m.inner));
  }

  static DecoderLayerGrad read_gradients(const Args& args, const DecoderLayer& layer) {
    const int q = layer.attention.heads.q_width(), kv = layer.attention.heads.kv_width();
    const int width = layer.mlp.width, inner = layer.mlp.inner;
    DecoderLayerGrad g{};
    g.attention.norm = read_norm_grad(args, "dnormWeight", "dnormBias", width);
    g.attention.q = read_linear_grad(args, layer.attention.q, "q", q, width);
    g.attention.k = read_linear_grad(args, layer.attention.k, "k", kv, width);
    g.attention.v = read_linear_grad(args, layer.attention.v, "v", kv, width);
    g.attention.o = read_linear_grad(args, layer.attention.o, "o", width, q);
    g.mlp.norm = read_norm_grad(args, "dmlpNormWeight", "dmlpNormBias", width);
    if (layer.mlp.gated) g.mlp.gate = read_linear_grad(args, layer.mlp.gate, "gate", inner, width);
    g.mlp.up = read_linear_grad(args, layer.mlp.up, "up", inner, width);
    g.mlp.down = read_linear_grad(args, layer.mlp.down, "down", width, inner);
    return g;
  }
};

napi_value decoder_layers(napi_env, const Args& args) {
  kernels().decoder_layers(LayersArgs(args, false).stack());
  return nullptr;
}

napi_value decoder_layers_grad(napi_env, const Args& args) {
  LayersArgs layers(args, true);
  const DecoderLayers& stack = layers.stack();
  const MlpBlock& last = stack.list[stack.count - 1].mlp;
  const float* dy = args.floats("dy", size_t(last.rows), size_t(last.width));
  const size_t rows = rows_of(stack.list[0].attention.layout);
  float* dx = stack.embeds ? nullptr : args.floats("dx", rows, size_t(last.width));
  kernels().decoder_layers_grad(stack, layers.gradients(), dy, dx);
  return nullptr;
}

const EntryPoint ENTRIES[] = {
    {"attention", attention},
    {"attentionGrad", attention_grad},
    {"decoderLayers", decoder_layers},
    {"decoderLayersGrad", decoder_layers_grad},
};

}  // namespace

void export_layers(napi_env env, napi_value exports) {
  export_entries(env, exports, ENTRIES);
}

}  // namespace stagecraft
