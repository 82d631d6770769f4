#include "rotary_table.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace stagecraft {

// Angles are computed in float64: in float32 position 1000 would already be off by 6e-5.
const float* rotary_table(const Rope& rope, int limit) {
  static thread_local std::map<std::pair<float, std::vector<double>>, std::vector<float>> tables;
  const int half = rope.pairs;
  std::vector<float>& table = tables[{rope.scale, std::vector<double>(rope.frequencies, rope.frequencies + half)}];
  const size_t row = 2 * size_t(half);
  const size_t have = table.size() / row;
  if (have >= size_t(limit)) return table.data();
  const size_t rows = size_t(limit) > 2 * have ? size_t(limit) : 2 * have;
  table.resize(rows * row);
  for (size_t position = have; position < rows; position++) {
    for (int i = 0; i < half; i++) {
      const double angle = double(position) * rope.frequencies[i];
      table[position * row + i] = float(rope.scale * std::cos(angle));
      table[position * row + half + i] = float(rope.scale * std::sin(angle));
    }
  }
  return table.data();
}

}  // namespace stagecraft
