// What several entries read from their arguments.
#pragma once
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

inline int read_window(const Args& args) { return args.integer("window", 0, MAX_SIZE); }

}  // namespace stagecraft
