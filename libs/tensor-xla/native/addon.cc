// The addon over the PJRT C API: how JavaScript calls its entries.
#include "entries.h"

namespace stagecraft {
namespace {

// Of the entries and their arguments: raise it together with ABI in src/addon.ts when one of them changes, so
// that an addon compiled before is refused.
constexpr int ABI = 2;

napi_value call_entry(napi_env env, napi_callback_info info) {
  void* data = nullptr;
  size_t count = 8;
  napi_value values[8];
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  Call call{env, std::vector<napi_value>(values, values + std::min(count, size_t(8)))};
  try {
    return static_cast<const EntryPoint*>(data)->entry(call);
  } catch (const Failure& failure) {
    napi_throw(env, to_error(env, failure));
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_INTERNAL", error.what());
  }
  return nullptr;
}

}  // namespace

void export_entry(napi_env env, napi_value exports, const EntryPoint& point) {
  napi_value function;
  napi_create_function(env, point.name, NAPI_AUTO_LENGTH, call_entry, const_cast<EntryPoint*>(&point), &function);
  set(env, exports, point.name, function);
}

}  // namespace stagecraft

// Context-aware: every worker thread gets exports of its own; only loaded plugins are shared.
NAPI_MODULE_INIT() {
  using namespace stagecraft;
  set(env, exports, "abi", from_number(env, ABI));
  const std::string version = std::to_string(PJRT_API_MAJOR) + "." + std::to_string(PJRT_API_MINOR);
  set(env, exports, "pjrtVersion", from_text(env, version.data(), version.size()));
  export_client(env, exports);
  export_buffers(env, exports);
  export_programs(env, exports);
  return exports;
}
