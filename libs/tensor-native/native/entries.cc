#include "entries.h"

#include <new>
#include <stdexcept>
#include <string>

namespace stagecraft {
namespace {

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

}  // namespace

void export_entries(napi_env env, napi_value exports, const EntryPoint* entries, size_t count) {
  for (size_t i = 0; i < count; i++) {
    napi_value function;
    napi_create_function(env, entries[i].name, NAPI_AUTO_LENGTH, call_entry,
                         const_cast<EntryPoint*>(&entries[i]), &function);
    napi_set_named_property(env, exports, entries[i].name, function);
  }
}

}  // namespace stagecraft
