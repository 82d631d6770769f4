#include "plugin.h"

#include <dlfcn.h>

#include <map>
#include <memory>
#include <mutex>

namespace stagecraft {
namespace {

// What this addon calls; a plugin that lacks one of them is too old.
#define REQUIRED(function) {#function, offsetof(PJRT_Api, function)}
const struct {
  const char* name;
  size_t offset;
} REQUIRED_FUNCTIONS[] = {
    REQUIRED(PJRT_Error_Destroy),
    REQUIRED(PJRT_Error_Message),
    REQUIRED(PJRT_Error_GetCode),
    REQUIRED(PJRT_Plugin_Initialize),
    REQUIRED(PJRT_Event_Destroy),
    REQUIRED(PJRT_Event_Await),
    REQUIRED(PJRT_Event_OnReady),
    REQUIRED(PJRT_Client_Create),
    REQUIRED(PJRT_Client_Destroy),
    REQUIRED(PJRT_Client_PlatformName),
    REQUIRED(PJRT_Client_PlatformVersion),
    REQUIRED(PJRT_Client_AddressableDevices),
    REQUIRED(PJRT_Client_Compile),
    REQUIRED(PJRT_Client_BufferFromHostBuffer),
    REQUIRED(PJRT_DeviceDescription_Kind),
    REQUIRED(PJRT_DeviceDescription_ToString),
    REQUIRED(PJRT_Device_GetDescription),
    REQUIRED(PJRT_Executable_Destroy),
    REQUIRED(PJRT_Executable_NumOutputs),
    REQUIRED(PJRT_LoadedExecutable_Destroy),
    REQUIRED(PJRT_LoadedExecutable_GetExecutable),
    REQUIRED(PJRT_LoadedExecutable_Execute),
    REQUIRED(PJRT_Buffer_Destroy),
    REQUIRED(PJRT_Buffer_ElementType),
    REQUIRED(PJRT_Buffer_Dimensions),
    REQUIRED(PJRT_Buffer_Device),
    REQUIRED(PJRT_Buffer_IsDeleted),
    REQUIRED(PJRT_Buffer_ToHostBuffer),
};

std::string version_text(int major, int minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

void check_version(const std::string& path, const PJRT_Api* api) {
  // The version lies at the start of the table in every release; without it nothing else can be trusted.
  const size_t head = offsetof(PJRT_Api, pjrt_api_version) + PJRT_Api_Version_STRUCT_SIZE;
  if (api == nullptr || api->struct_size < head) {
    throw Failure("ERR_PLUGIN_OLD", path + " has no version of the PJRT API in its table of functions");
  }
  const auto& version = api->pjrt_api_version;
  const std::string theirs = version_text(version.major_version, version.minor_version);
  const std::string ours = version_text(PJRT_API_MAJOR, PJRT_API_MINOR);
  if (version.major_version != PJRT_API_MAJOR) {
    const bool newer = version.major_version > PJRT_API_MAJOR;
    throw Failure(newer ? "ERR_PLUGIN_NEW" : "ERR_PLUGIN_OLD",
                  path + " speaks PJRT " + theirs + ", this addon was compiled for PJRT " + ours);
  }
}

void check_functions(const std::string& path, const Plugin& plugin) {
  for (const auto& function : REQUIRED_FUNCTIONS) {
    if (plugin.has(function.offset)) continue;
    const auto& version = plugin.api().pjrt_api_version;
    throw Failure("ERR_PLUGIN_OLD", path + " speaks PJRT " +
                                        version_text(version.major_version, version.minor_version) +
                                        " and has no " + function.name);
  }
}

}  // namespace

Plugin::Plugin(const std::string& path, const PJRT_Api* api) : api_(api) {
  check_version(path, api);
  check_functions(path, *this);
  PJRT_ARGS(PJRT_Plugin_Initialize_Args, args);
  check(api_->PJRT_Plugin_Initialize(&args));
}

const Plugin& Plugin::load(const std::string& path) {
  static std::mutex mutex;
  static std::map<const PJRT_Api*, std::unique_ptr<Plugin>> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Failure("ERR_PLUGIN_LOAD", dlerror());
  auto get = reinterpret_cast<const PJRT_Api* (*)()>(dlsym(library, "GetPjrtApi"));
  if (get == nullptr) throw Failure("ERR_PLUGIN_SYMBOL", path + " exports no GetPjrtApi");
  const PJRT_Api* api = get();
  auto& plugin = loaded[api];
  if (plugin == nullptr) plugin.reset(new Plugin(path, api));
  return *plugin;
}

bool Plugin::has(size_t offset) const {
  if (offset + sizeof(void*) > api_->struct_size) return false;
  return *reinterpret_cast<void* const*>(reinterpret_cast<const char*>(api_) + offset) != nullptr;
}

Failure Plugin::failure(PJRT_Error* error) const {
  PJRT_ARGS(PJRT_Error_Message_Args, text);
  text.error = error;
  api_->PJRT_Error_Message(&text);
  const std::string message(text.message, text.message_size);
  PJRT_ARGS(PJRT_Error_GetCode_Args, code);
  code.error = error;
  PJRT_Error* none = api_->PJRT_Error_GetCode(&code);
  PJRT_ARGS(PJRT_Error_Destroy_Args, destroy);
  destroy.error = error;
  api_->PJRT_Error_Destroy(&destroy);
  if (none != nullptr) {
    destroy.error = none;
    api_->PJRT_Error_Destroy(&destroy);
  }
  return Failure("ERR_PJRT_" + std::to_string(int(code.code)), message);
}

void Plugin::check(PJRT_Error* error) const {
  if (error != nullptr) throw failure(error);
}

void Plugin::await(PJRT_Event* event) const {
  if (event == nullptr) return;
  PJRT_ARGS(PJRT_Event_Await_Args, wait);
  wait.event = event;
  PJRT_Error* error = api_->PJRT_Event_Await(&wait);
  PJRT_ARGS(PJRT_Event_Destroy_Args, destroy);
  destroy.event = event;
  PJRT_Error* second = api_->PJRT_Event_Destroy(&destroy);
  if (error == nullptr) return check(second);
  throw failure(error);
}

}  // namespace stagecraft
