// What several entries read from their arguments.
#pragma once
#include <string>

#include "args.h"
#include "kernels.h"

namespace stagecraft {

inline Activation read_activation(const Args& args) {
  return Activation(args.integer("activation", 0, NUM_ACTIVATIONS - 1));
}

// No pairs: no rotary embedding.
inline Rope read_rope(const Args& args, int head_size) {
  const int pairs = args.integer("ropePairs", 0, head_size / 2);
  if (pairs == 0) return {nullptr, 0, 1.f};
  return {args.doubles("ropeFrequencies", size_t(pairs), 1), pairs, args.number("ropeScale")};
}

// The map called `name`: nameWeight and nameBias, with an adapter nameA, nameB, nameRank and nameScale.
inline Linear read_linear(const Args& args, const std::string& name, int out, int in) {
  Linear map{args.floats((name + "Weight").c_str(), size_t(out), size_t(in)),
             args.optional_floats((name + "Bias").c_str(), size_t(out))};
  if (!args.has((name + "A").c_str())) return map;
  Adapter& f = map.adapter;
  f.rank = args.integer((name + "Rank").c_str(), 1, MAX_SIZE);
  f.a = args.floats((name + "A").c_str(), size_t(f.rank), size_t(in));
  f.b = args.floats((name + "B").c_str(), size_t(out), size_t(f.rank));
  f.scale = args.number((name + "Scale").c_str());
  return map;
}

// Where its gradients go: dnameWeight, which may be absent, dnameBias, and those of its adapter.
inline LinearGrad read_linear_grad(const Args& args, const Linear& map, const std::string& name, int out, int in) {
  LinearGrad grad{args.optional_floats(("d" + name + "Weight").c_str(), size_t(out), size_t(in)),
                  map.bias ? args.floats(("d" + name + "Bias").c_str(), size_t(out)) : nullptr};
  if (!map.adapter.a) return grad;
  grad.a = args.floats(("d" + name + "A").c_str(), size_t(map.adapter.rank), size_t(in));
  grad.b = args.floats(("d" + name + "B").c_str(), size_t(out), size_t(map.adapter.rank));
  return grad;
}

inline int read_window(const Args& args) { return args.integer("window", 0, MAX_SIZE); }

}  // namespace stagecraft
