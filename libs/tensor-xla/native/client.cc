// Opening a plugin, its devices and their memory.
#include <cstdlib>
#include <deque>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "entries.h"

namespace stagecraft {
namespace {

// Options of a plugin's own, as PJRT's named values; keeps what they point to.
class NamedValues {
 public:
  // `list`: [name, type, value] each, type one of "string", "int", "ints", "float", "bool".
  NamedValues(napi_env env, napi_value list) {
    for (napi_value entry : to_list(env, list)) add(env, to_list(env, entry));
  }
  const PJRT_NamedValue* data() const { return values_.data(); }
  size_t size() const { return values_.size(); }

 private:
  void add(napi_env env, const std::vector<napi_value>& entry);
  std::vector<PJRT_NamedValue> values_;
  std::deque<std::string> texts_;
  std::deque<std::vector<int64_t>> lists_;
};

void NamedValues::add(napi_env env, const std::vector<napi_value>& entry) {
  if (entry.size() != 3) throw Failure("ERR_ARGUMENT", "an option is not [name, type, value]");
  const std::string& name = texts_.emplace_back(to_text(env, entry[0]));
  const std::string type = to_text(env, entry[1]);
  PJRT_ARGS(PJRT_NamedValue, value);
  value.name = name.data();
  value.name_size = name.size();
  value.value_size = 1;
  if (type == "string") {
    const std::string& text = texts_.emplace_back(to_text(env, entry[2]));
    value.type = PJRT_NamedValue_kString;
    value.string_value = text.data();
    value.value_size = text.size();
  } else if (type == "int") {
    value.type = PJRT_NamedValue_kInt64;
    value.int64_value = to_integer(env, entry[2]);
  } else if (type == "ints") {
    auto& list = lists_.emplace_back();
    for (napi_value each : to_list(env, entry[2])) list.push_back(to_integer(env, each));
    value.type = PJRT_NamedValue_kInt64List;
    value.int64_array_value = list.data();
    value.value_size = list.size();
  } else if (type == "float") {
    double number = 0;
    napi_get_value_double(env, entry[2], &number);
    value.type = PJRT_NamedValue_kFloat;
    value.float_value = float(number);
  } else if (type == "bool") {
    value.type = PJRT_NamedValue_kBool;
    napi_get_value_bool(env, entry[2], &value.bool_value);
  } else {
    throw Failure("ERR_ARGUMENT", "an option has the unknown type " + type);
  }
  values_.push_back(value);
}

napi_value describe(napi_env env, const Client& client, PJRT_Device* device) {
  PJRT_ARGS(PJRT_Device_GetDescription_Args, get);
  get.device = device;
  client.plugin.check(client.api().PJRT_Device_GetDescription(&get));
  PJRT_ARGS(PJRT_DeviceDescription_Kind_Args, kind);
  kind.device_description = get.device_description;
  client.plugin.check(client.api().PJRT_DeviceDescription_Kind(&kind));
  PJRT_ARGS(PJRT_DeviceDescription_ToString_Args, text);
  text.device_description = get.device_description;
  client.plugin.check(client.api().PJRT_DeviceDescription_ToString(&text));
  napi_value object;
  napi_create_object(env, &object);
  set(env, object, "kind", from_text(env, kind.device_kind, kind.device_kind_size));
  set(env, object, "description", from_text(env, text.to_string, text.to_string_size));
  return object;
}

// A program on CPUs takes its room for intermediate results from malloc at each call. glibc gives back
// what is large at once, and the kernel then clears those pages anew: a quarter of a small training step.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

// open(path, options) → { client, platform, version, pjrtVersion, flags, devices }
napi_value open(const Call& call) {
  const napi_env env = call.env;
  const Plugin& plugin = Plugin::load(call.text(0));
  const NamedValues options(env, call.at(1));
  auto client = std::make_shared<Client>(plugin, options.data(), options.size());
  PJRT_ARGS(PJRT_Client_PlatformName_Args, platform);
  platform.client = client->live();
  plugin.check(plugin.api().PJRT_Client_PlatformName(&platform));
  if (std::string(platform.platform_name, platform.platform_name_size) == "cpu") keep_freed_memory();
  PJRT_ARGS(PJRT_Client_PlatformVersion_Args, version);
  version.client = client->live();
  plugin.check(plugin.api().PJRT_Client_PlatformVersion(&version));
  const auto& api = plugin.api().pjrt_api_version;
  const std::string number = std::to_string(api.major_version) + "." + std::to_string(api.minor_version);

  const char* set_flags = std::getenv("XLA_FLAGS");
  const std::string flags = set_flags == nullptr ? "" : set_flags;

  napi_value object, devices;
  napi_create_object(env, &object);
  napi_create_array(env, &devices);
  for (size_t i = 0; i < client->devices.size(); i++) {
    napi_set_element(env, devices, uint32_t(i), describe(env, *client, client->devices[i]));
  }
  set(env, object, "platform", from_text(env, platform.platform_name, platform.platform_name_size));
  set(env, object, "version", from_text(env, version.platform_version, version.platform_version_size));
  set(env, object, "pjrtVersion", from_text(env, number.data(), number.size()));
  set(env, object, "flags", from_text(env, flags.data(), flags.size()));
  set(env, object, "devices", devices);
  set(env, object, "client", to_handle<ClientRef>(env, std::move(client)));
  return object;
}

// memoryStats(client, device) → [in use, peak or -1, limit or -1], or undefined where the plugin does not count
napi_value memory_stats(const Call& call) {
  const Client& client = *from_handle<ClientRef>(call.env, call.at(0));
  client.live();
  if (!PJRT_HAS(client.plugin, PJRT_Device_MemoryStats)) return nullptr;
  PJRT_ARGS(PJRT_Device_MemoryStats_Args, stats);
  stats.device = client.devices.at(size_t(call.integer(1)));
  PJRT_Error* error = client.api().PJRT_Device_MemoryStats(&stats);
  if (error != nullptr) {
    const Failure failure = client.plugin.failure(error);
    if (failure.code == "ERR_PJRT_" + std::to_string(PJRT_Error_Code_UNIMPLEMENTED)) return nullptr;
    throw failure;
  }
  napi_value list;
  napi_create_array(call.env, &list);
  const double numbers[] = {double(stats.bytes_in_use),
                            stats.peak_bytes_in_use_is_set ? double(stats.peak_bytes_in_use) : -1,
                            stats.bytes_limit_is_set ? double(stats.bytes_limit) : -1};
  for (uint32_t i = 0; i < 3; i++) napi_set_element(call.env, list, i, from_number(call.env, numbers[i]));
  return list;
}

napi_value live_buffers(const Call& call) {
  return from_number(call.env, double(from_handle<ClientRef>(call.env, call.at(0))->buffers.size()));
}

napi_value close(const Call& call) {
  from_handle<ClientRef>(call.env, call.at(0))->close();
  return nullptr;
}

const EntryPoint ENTRIES[] = {
    {"open", open}, {"memoryStats", memory_stats}, {"liveBuffers", live_buffers}, {"close", close}};

}  // namespace

void export_client(napi_env env, napi_value exports) {
  for (const EntryPoint& point : ENTRIES) export_entry(env, exports, point);
}

}  // namespace stagecraft
