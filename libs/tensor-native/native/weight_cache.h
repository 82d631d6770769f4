// Packed weights that outlive a decoding session: the next session over the same values finds them.
#pragma once
#include <memory>
#include <vector>

#include "kernels.h"

namespace stagecraft {

struct PackedWeights {
  DecoderConfig config;
  const Kernels* kernels;
  uint64_t hash;
  std::unique_ptr<DecoderModel> model;
};

struct SourceTensor {
  const float* data;  // null where the model has none
  size_t size;
};

// Changes, for all practical purposes, when any value does.
uint64_t hash_tensors(const std::vector<SourceTensor>& tensors);

class WeightCache {
 public:
  // The weights packed: `mine` or those kept here when they hold these values; otherwise packed anew,
  // into the same memory when nobody else uses it.
  std::shared_ptr<PackedWeights> pack(const Kernels& kernels, const DecoderConfig& config,
                                      const std::vector<SourceTensor>& tensors,
                                      std::shared_ptr<PackedWeights> mine);
  void clear() { kept_.reset(); }

 private:
  std::shared_ptr<PackedWeights> kept_;
};

}  // namespace stagecraft
