// Entries for the global norm and the multi-tensor optimizer step.
#include <vector>

#include "args.h"
#include "entries.h"
#include "exports.h"
#include "kernels.h"

namespace stagecraft {
namespace {

std::vector<size_t> read_sizes(const Args& args, uint32_t count) {
  const int32_t* sizes = args.ints("sizes", count);
  check_ids(args, "sizes", sizes, count, 0, 0x7fffffff);
  return std::vector<size_t>(sizes, sizes + count);
}

napi_value global_norm(napi_env env, const Args& args) {
  const uint32_t count = args.list_length("grads");
  const std::vector<size_t> sizes = read_sizes(args, count);
  std::vector<const float*> grads(count);
  for (uint32_t i = 0; i < count; i++) grads[i] = args.list_floats("grads", i, sizes[i], 1, false);
  napi_value result;
  napi_create_double(env, __builtin_sqrt(kernels().sum_of_squares(grads.data(), sizes.data(), int(count))),
                     &result);
  return result;
}

OptimizerStep read_step(const Args& args) {
  OptimizerStep step{};
  step.adamw = args.flag("adamw");
  step.learning_rate = args.number("learningRate");
  step.beta1 = args.number("beta1");
  step.beta2 = args.number("beta2");
  step.eps = args.number("eps");
  step.weight_decay = args.number("weightDecay");
  step.grad_scale = args.number("gradScale");
  step.step_size = args.number("stepSize");
  step.correction = args.number("correction");
  return step;
}

napi_value optimizer_step(napi_env, const Args& args) {
  const OptimizerStep step = read_step(args);
  const uint32_t count = args.list_length("grads");
  const std::vector<size_t> sizes = read_sizes(args, count);
  const int32_t* decay = args.ints("decay", count);
  std::vector<OptimizerTensor> tensors(count);
  for (uint32_t i = 0; i < count; i++) {
    tensors[i] = {args.list_floats("params", i, sizes[i], 1, false),
                  args.list_floats("first", i, sizes[i], 1, false),
                  step.adamw ? args.list_floats("second", i, sizes[i], 1, false) : nullptr,
                  args.list_floats("grads", i, sizes[i], 1, false),
                  sizes[i],
                  decay[i] != 0};
  }
  kernels().optimizer_step(tensors.data(), int(count), step);
  return nullptr;
}

const EntryPoint ENTRIES[] = {{"globalNorm", global_norm}, {"optimizerStep", optimizer_step}};

}  // namespace

void export_optimizer(napi_env env, napi_value exports) { export_entries(env, exports, ENTRIES); }

}  // namespace stagecraft
