#include <atomic>

#include "arena.h"
#include "entries.h"
#include "cpus.h"
#include "pool.h"

namespace stagecraft {
namespace {

std::atomic<const Kernels*> current{best_kernels()};

napi_value call_entry(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value object = nullptr;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, &object, nullptr, &data);
  const EntryPoint* entry = static_cast<const EntryPoint*>(data);
  try {
    return entry->call(env, Args(env, object, entry->name));
  } catch (const ArgumentError& error) {
    napi_throw_range_error(env, "ERR_STAGECRAFT_ARGUMENT", error.what());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, "ERR_STAGECRAFT_MEMORY", (std::string(entry->name) + ": out of memory").c_str());
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_STAGECRAFT", error.what());
  }
  return nullptr;
}

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
    const Kernels* kernels = find_kernels(name.c_str());
    if (!kernels) args.fail("this machine cannot run simd \"" + name + "\"");
    current = kernels;
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

const Kernels& kernels() { return *current; }

void export_entries(napi_env env, napi_value exports, const EntryPoint* entries, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    napi_create_function(env, entries[i].name, NAPI_AUTO_LENGTH, call_entry,
                         const_cast<EntryPoint*>(&entries[i]), &function);
    napi_set_named_property(env, exports, entries[i].name, function);
  }
}

}  // namespace stagecraft

// Context-aware: every worker thread gets exports of its own; only the thread pool is shared.
NAPI_MODULE_INIT() {
  using namespace stagecraft;
  export_entries(env, exports, ENTRIES, 3);
  export_operations(env, exports);
  export_layers(env, exports);
  export_optimizer(env, exports);
  export_decoder(env, exports);
  return exports;
}
