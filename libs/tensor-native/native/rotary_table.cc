#include "rotary_table.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

namespace stagecraft {

// Angles are computed in float64: in float32 position 1000 would already be off by 6e-5.
const float* rotary_table(float theta, int half, int limit) {
  static thread_local std::map<std::pair<float, int>, std::vector<float>> tables;
  std::vector<float>& table = tables[{theta, half}];
  const size_t row = 2 * size_t(half);
  const size_t have = table.size() / row;
  if (have >= size_t(limit)) return table.data();
  const size_t rows = size_t(limit) > 2 * have ? size_t(limit) : 2 * have;
  table.resize(rows * row);
  for (size_t position = have; position < rows; position++) {
    for (int i = 0; i < half; i++) {
      const double angle = double(position) * std::pow(double(theta), -double(i) / half);
      table[position * row + i] = float(std::cos(angle));
      table[position * row + half + i] = float(std::sin(angle));
    }
  }
  return table.data();
}

}  // namespace stagecraft
