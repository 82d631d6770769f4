// Entries for embedding, linear map, norms, activations, rotary embedding, attention, log-probs.
#include "args.h"
#include "entries.h"
#include "exports.h"
#include "kernels.h"
#include "read.h"

namespace stagecraft {
namespace {

napi_value embedding(napi_env, const Args& args) {
  const int rows = args.integer("rows", 0, MAX_SIZE), vocab = args.integer("vocab", 1, MAX_SIZE);
  const int width = args.integer("width", 1, MAX_SIZE);
  const int32_t* ids = args.ints("ids", size_t(rows));
  check_ids(args, "ids", ids, size_t(rows), 0, vocab);
  kernels().embedding(ids, rows, args.floats("table", size_t(vocab), size_t(width)), width,
                      args.floats("y", size_t(rows), size_t(width)));
  return nullptr;
}

napi_value embedding_grad(napi_env, const Args& args) {
  const int rows = args.integer("rows", 0, MAX_SIZE), vocab = args.integer("vocab", 1, MAX_SIZE);
  const int width = args.integer("width", 1, MAX_SIZE);
  const int32_t* ids = args.ints("ids", size_t(rows));
  check_ids(args, "ids", ids, size_t(rows), 0, vocab);
  kernels().embedding_grad(ids, rows, args.floats("dy", size_t(rows), size_t(width)), vocab, width,
                           args.floats("dtable", size_t(vocab), size_t(width)));
  return nullptr;
}

struct LinearSizes {
  int rows, in, out;
  explicit LinearSizes(const Args& args)
      : rows(args.integer("rows", 0, MAX_SIZE)),
        in(args.integer("in", 1, MAX_SIZE)),
        out(args.integer("out", 1, MAX_SIZE)) {}
};

napi_value linear(napi_env, const Args& args) {
  const LinearSizes s(args);
  kernels().linear(args.floats("x", size_t(s.rows), size_t(s.in)), s.rows, s.in, s.out,
                   read_linear(args, "map", s.out, s.in), args.floats("y", size_t(s.rows), size_t(s.out)));
  return nullptr;
}

napi_value linear_grad(napi_env, const Args& args) {
  const LinearSizes s(args);
  const Linear map = read_linear(args, "map", s.out, s.in);
  kernels().linear_grad(args.floats("x", size_t(s.rows), size_t(s.in)), s.rows, s.in, s.out, map,
                        args.floats("dy", size_t(s.rows), size_t(s.out)),
                        args.floats("dx", size_t(s.rows), size_t(s.in)),
                        read_linear_grad(args, map, "map", s.out, s.in));
  return nullptr;
}

Norm read_norm(const Args& args, int width) {
  return {args.floats("weight", size_t(width)), args.optional_floats("bias", size_t(width)), args.number("eps"),
          args.flag("layer")};
}

napi_value norm(napi_env, const Args& args) {
  const int rows = args.integer("rows", 0, MAX_SIZE), width = args.integer("width", 1, MAX_SIZE);
  kernels().norm(args.floats("x", size_t(rows), size_t(width)), rows, width, read_norm(args, width),
                 args.floats("y", size_t(rows), size_t(width)), args.floats("stats", size_t(rows), NORM_STATS));
  return nullptr;
}

napi_value norm_grad(napi_env, const Args& args) {
  const int rows = args.integer("rows", 0, MAX_SIZE), width = args.integer("width", 1, MAX_SIZE);
  kernels().norm_grad(args.floats("x", size_t(rows), size_t(width)), rows, width, read_norm(args, width),
                      args.floats("stats", size_t(rows), NORM_STATS),
                      args.floats("dy", size_t(rows), size_t(width)),
                      args.floats("dx", size_t(rows), size_t(width)),
                      {args.floats("dweight", size_t(width)), args.optional_floats("dbias", size_t(width))});
  return nullptr;
}

size_t read_size(const Args& args) { return size_t(args.integer("size", 0, 0x7fffffff)); }

napi_value gated(napi_env, const Args& args) {
  const size_t n = read_size(args);
  kernels().gated(read_activation(args), args.floats("gate", n), args.floats("up", n), n, args.floats("y", n));
  return nullptr;
}

napi_value gated_grad(napi_env, const Args& args) {
  const size_t n = read_size(args);
  kernels().gated_grad(read_activation(args), args.floats("gate", n), args.floats("up", n), args.floats("dy", n), n,
                        args.floats("dgate", n), args.floats("dup", n));
  return nullptr;
}

napi_value activate(napi_env, const Args& args) {
  const size_t n = read_size(args);
  kernels().activate(read_activation(args), args.floats("x", n), n, args.floats("y", n));
  return nullptr;
}

napi_value activate_grad(napi_env, const Args& args) {
  const size_t n = read_size(args);
  kernels().activate_grad(read_activation(args), args.floats("x", n), args.floats("dy", n), n, args.floats("dx", n));
  return nullptr;
}

napi_value add(napi_env, const Args& args) {
  const size_t n = read_size(args);
  kernels().add(args.floats("a", n), args.floats("b", n), n, args.floats("y", n));
  return nullptr;
}

napi_value exp(napi_env, const Args& args) {
  const size_t n = read_size(args);
  kernels().exp(args.floats("x", n), n, args.floats("y", n));
  return nullptr;
}

napi_value rotary(napi_env, const Args& args) {
  const int rows = args.integer("rows", 0, MAX_SIZE), heads = args.integer("heads", 1, MAX_SIZE);
  const int size = args.integer("headSize", 2, 1 << 16);
  const Rope rope = read_rope(args, size);
  if (rope.pairs == 0) args.fail("a rope of no pairs");
  const size_t width = size_t(heads) * size_t(size);
  const int32_t* positions = args.ints("positions", size_t(rows));
  check_ids(args, "positions", positions, size_t(rows), 0, MAX_POSITION);
  kernels().rotary(args.floats("x", size_t(rows), width), rows, heads, size, positions, rope,
                   args.flag("inverse"), args.floats("y", size_t(rows), width));
  return nullptr;
}

TokenLogProbs read_log_probs(const Args& args) {
  TokenLogProbs p{};
  p.rows = args.integer("rows", 0, MAX_SIZE);
  p.width = args.integer("width", 1, MAX_SIZE);
  p.vocab = args.integer("vocab", 1, MAX_SIZE);
  p.temperature = args.number("temperature");
  if (!(p.temperature > 0)) args.fail("temperature must be above 0");
  const size_t rows = size_t(p.rows);
  p.softcap = args.number("softcap");
  p.hidden = args.floats("hidden", rows, size_t(p.width));
  p.weight = args.floats("weight", size_t(p.vocab), size_t(p.width));
  p.targets = args.ints("targets", rows);
  check_ids(args, "targets", p.targets, rows, -0x7fffffff - 1, p.vocab);
  p.entropy = args.floats("entropy", rows);
  p.lse = args.floats("lse", rows);
  return p;
}

napi_value token_log_probs(napi_env, const Args& args) {
  TokenLogProbs p = read_log_probs(args);
  p.log_probs = args.floats("logProbs", size_t(p.rows));
  kernels().token_log_probs(p);
  return nullptr;
}

napi_value token_log_probs_grad(napi_env, const Args& args) {
  const TokenLogProbs p = read_log_probs(args);
  const size_t rows = size_t(p.rows), width = size_t(p.width);
  kernels().token_log_probs_grad(p, {args.floats("dLogProbs", rows), args.optional_floats("dEntropy", rows),
                                     args.floats("dHidden", rows, width),
                                     args.optional_floats("dWeight", size_t(p.vocab), width)});
  return nullptr;
}

const EntryPoint ENTRIES[] = {
    {"embedding", embedding},
    {"embeddingGrad", embedding_grad},
    {"linear", linear},
    {"linearGrad", linear_grad},
    {"norm", norm},
    {"normGrad", norm_grad},
    {"gated", gated},
    {"gatedGrad", gated_grad},
    {"activate", activate},
    {"activateGrad", activate_grad},
    {"add", add},
    {"exp", exp},
    {"rotary", rotary},
    {"tokenLogProbs", token_log_probs},
    {"tokenLogProbsGrad", token_log_probs_grad},
};

}  // namespace

void export_operations(napi_env env, napi_value exports) {
  export_entries(env, exports, ENTRIES);
}

}  // namespace stagecraft
