// The addon: what it tells of itself, and the functions of all its parts.
#include <node_api.h>

#include <string>

#include "arena.h"
#include "args.h"
#include "cpus.h"
#include "entries.h"
#include "exports.h"
#include "kernels.h"
#include "pool.h"

namespace stagecraft {
namespace {

// Of the entries and their fields: raise it together with ABI in src/abi.ts when one of them changes, so
// that an addon compiled before is refused.
constexpr int ABI = 3;

void set_number(napi_env env, napi_value object, const char* name, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

napi_value info(napi_env env, const Args&) {
  napi_value object, simd;
  napi_create_object(env, &object);
  napi_create_string_utf8(env, kernels().name, NAPI_AUTO_LENGTH, &simd);
  napi_set_named_property(env, object, "simd", simd);
  set_number(env, object, "numThreads", num_threads());
  set_number(env, object, "activeThreads", num_active_threads());
  set_number(env, object, "physicalCores", physical_cores());
  set_number(env, object, "scratchBytes", double(arena_bytes()));
  return object;
}

napi_value configure(napi_env, const Args& args) {
  if (args.has("numThreads")) set_num_threads(args.integer("numThreads", 1, 1024));
  if (args.has("simd")) {
    const std::string name = args.text("simd");
    if (!choose_kernels(name.c_str())) args.fail("this machine cannot run simd \"" + name + "\"");
  }
  return nullptr;
}

// The arrays stay usable; what they held is lost. Array i has sizes[i] elements. `trim`: scratch and what
// the allocator keeps as well.
napi_value drop_contents(napi_env, const Args& args) {
  const uint32_t count = args.list_length("arrays");
  const int32_t* sizes = args.ints("sizes", count);
  check_ids(args, "sizes", sizes, count, 0, MAX_SIZE);
  for (uint32_t i = 0; i < count; i++) {
    float* data = args.list_floats("arrays", i, size_t(sizes[i]), 1, false);
    drop_pages(data, size_t(sizes[i]) * sizeof(float));
  }
  if (args.flag("trim")) {
    arena_drop();
    trim_heap();
  }
  return nullptr;
}

const EntryPoint ENTRIES[] = {{"info", info}, {"configure", configure}, {"dropContents", drop_contents}};

}  // namespace

}  // namespace stagecraft

// Context-aware: every worker thread gets exports of its own; only the thread pool is shared.
NAPI_MODULE_INIT() {
  using namespace stagecraft;
  set_number(env, exports, "abi", ABI);
  export_entries(env, exports, ENTRIES);
  export_operations(env, exports);
  export_layers(env, exports);
  export_optimizer(env, exports);
  export_decoder(env, exports);
  return exports;
}
