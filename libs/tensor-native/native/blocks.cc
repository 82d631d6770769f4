// Entries for attention and for the two blocks of a decoder layer.
#include "entries.h"

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

Norm read_norm(const Args& args, int width) {
  return {args.floats("normWeight", size_t(width)), args.optional_floats("normBias", size_t(width)),
          args.number("normEps"), args.flag("layerNorm")};
}

Linear read_linear(const Args& args, const char* weight, const char* bias, int out, int in) {
  return {args.floats(weight, size_t(out), size_t(in)), args.optional_floats(bias, size_t(out))};
}

LinearGrad read_linear_grad(const Args& args, const char* weight, const char* bias, int out, int in) {
  return {args.floats(weight, size_t(out), size_t(in)), args.optional_floats(bias, size_t(out))};
}

NormGrad read_norm_grad(const Args& args, int width) {
  return {args.floats("dnormWeight", size_t(width)), args.optional_floats("dnormBias", size_t(width))};
}

AttentionBlock read_attention_block(const Args& args) {
  AttentionBlock p{};
  p.layout = read_layout(args);
  p.heads = read_heads(args);
  p.width = args.integer("width", 1, MAX_SIZE);
  p.rope_theta = args.number("ropeTheta");
  if (p.rope_theta != 0 && p.heads.size % 2 != 0) args.fail("rotary embedding needs an even headSize");
  p.norm = read_norm(args, p.width);
  const int q = p.heads.q_width(), kv = p.heads.kv_width();
  p.q = read_linear(args, "qWeight", "qBias", q, p.width);
  p.k = read_linear(args, "kWeight", "kBias", kv, p.width);
  p.v = read_linear(args, "vWeight", "vBias", kv, p.width);
  p.o = read_linear(args, "oWeight", "oBias", p.width, q);
  const size_t rows = rows_of(p.layout);
  p.x = args.floats("x", rows, size_t(p.width));
  p.stats = args.floats("stats", rows, NORM_STATS);
  p.qkv = args.floats("qkv", rows, size_t(p.heads.qkv_width()));
  p.mixed = args.floats("mixed", rows, size_t(q));
  p.lse = args.floats("lse", rows, size_t(p.heads.count));
  return p;
}

napi_value attention_block(napi_env, const Args& args) {
  AttentionBlock p = read_attention_block(args);
  p.y = args.floats("y", rows_of(p.layout), size_t(p.width));
  kernels().attention_block(p);
  return nullptr;
}

napi_value attention_block_grad(napi_env, const Args& args) {
  const AttentionBlock p = read_attention_block(args);
  const size_t rows = rows_of(p.layout), width = size_t(p.width);
  const int q = p.heads.q_width(), kv = p.heads.kv_width();
  AttentionBlockGrad g{};
  g.dy = args.floats("dy", rows, width);
  g.dx = args.floats("dx", rows, width);
  g.norm = read_norm_grad(args, p.width);
  g.q = read_linear_grad(args, "dqWeight", "dqBias", q, p.width);
  g.k = read_linear_grad(args, "dkWeight", "dkBias", kv, p.width);
  g.v = read_linear_grad(args, "dvWeight", "dvBias", kv, p.width);
  g.o = read_linear_grad(args, "doWeight", "doBias", p.width, q);
  kernels().attention_block_grad(p, g);
  return nullptr;
}

MlpBlock read_mlp_block(const Args& args, bool backward) {
  MlpBlock p{};
  p.rows = args.integer("rows", 0, MAX_SIZE);
  p.width = args.integer("width", 1, MAX_SIZE);
  p.inner = args.integer("inner", 1, MAX_SIZE / 2);
  p.gated = args.flag("gated");
  p.norm = read_norm(args, p.width);
  if (p.gated) p.gate = read_linear(args, "gateWeight", "gateBias", p.inner, p.width);
  p.up = read_linear(args, "upWeight", "upBias", p.inner, p.width);
  p.down = read_linear(args, "downWeight", "downBias", p.width, p.inner);
  const size_t rows = size_t(p.rows);
  p.x = args.floats("x", rows, size_t(p.width));
  p.stats = args.floats("stats", rows, NORM_STATS);
  const size_t hidden = size_t(p.gated ? 2 * p.inner : p.inner);
  p.hidden = backward ? args.floats("hidden", rows, hidden) : args.optional_floats("hidden", rows, hidden);
  return p;
}

napi_value mlp_block(napi_env, const Args& args) {
  MlpBlock p = read_mlp_block(args, false);
  p.y = args.floats("y", size_t(p.rows), size_t(p.width));
  kernels().mlp_block(p);
  return nullptr;
}

napi_value mlp_block_grad(napi_env, const Args& args) {
  const MlpBlock p = read_mlp_block(args, true);
  MlpBlockGrad g{};
  g.dy = args.floats("dy", size_t(p.rows), size_t(p.width));
  g.dx = args.floats("dx", size_t(p.rows), size_t(p.width));
  g.norm = read_norm_grad(args, p.width);
  if (p.gated) g.gate = read_linear_grad(args, "dgateWeight", "dgateBias", p.inner, p.width);
  g.up = read_linear_grad(args, "dupWeight", "dupBias", p.inner, p.width);
  g.down = read_linear_grad(args, "ddownWeight", "ddownBias", p.width, p.inner);
  kernels().mlp_block_grad(p, g);
  return nullptr;
}

const EntryPoint ENTRIES[] = {
    {"attention", attention},
    {"attentionGrad", attention_grad},
    {"attentionBlock", attention_block},
    {"attentionBlockGrad", attention_block_grad},
    {"mlpBlock", mlp_block},
    {"mlpBlockGrad", mlp_block_grad},
};

}  // namespace

void export_blocks(napi_env env, napi_value exports) {
  export_entries(env, exports, ENTRIES, sizeof ENTRIES / sizeof *ENTRIES);
}

}  // namespace stagecraft
