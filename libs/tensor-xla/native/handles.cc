#include "handles.h"

#include <algorithm>

namespace stagecraft {

Client::Client(const Plugin& plugin, const PJRT_NamedValue* options, size_t num_options) : plugin(plugin) {
  PJRT_ARGS(PJRT_Client_Create_Args, create);
  create.create_options = options;
  create.num_options = num_options;
  plugin.check(api().PJRT_Client_Create(&create));
  client = create.client;
  try {
    PJRT_ARGS(PJRT_Client_AddressableDevices_Args, list);
    list.client = client;
    plugin.check(api().PJRT_Client_AddressableDevices(&list));
    devices.assign(list.addressable_devices, list.addressable_devices + list.num_addressable_devices);
    if (devices.empty()) throw Failure("ERR_PLUGIN_DEVICES", "the plugin found no device");
  } catch (...) {
    close();  // a constructor that throws runs no destructor
    throw;
  }
}

void Client::close() noexcept {
  if (client == nullptr) return;
  for (PJRT_Event* event : reads) {
    PJRT_ARGS(PJRT_Event_Await_Args, wait);
    wait.event = event;
    PJRT_Error* error = api().PJRT_Event_Await(&wait);  // the reader is told by the event itself
    if (error != nullptr) plugin.failure(error);
  }
  for (Buffer* buffer : std::vector<Buffer*>(buffers.begin(), buffers.end())) buffer->free();
  for (Program* program : std::vector<Program*>(programs.begin(), programs.end())) program->free();
  PJRT_ARGS(PJRT_Client_Destroy_Args, destroy);
  destroy.client = client;
  client = nullptr;
  PJRT_Error* error = api().PJRT_Client_Destroy(&destroy);
  if (error != nullptr) plugin.failure(error);
}

PJRT_Client* Client::live() const {
  if (client == nullptr) throw Failure("ERR_CLOSED", "the client is closed");
  return client;
}

int Client::place_of(PJRT_Device* device) const {
  return int(std::find(devices.begin(), devices.end(), device) - devices.begin());
}

Buffer::Buffer(std::shared_ptr<Client> client, PJRT_Buffer* buffer) : owner(std::move(client)), buffer(buffer) {
  owner->buffers.insert(this);
}

void Buffer::free() noexcept {
  if (buffer == nullptr) return;
  owner->buffers.erase(this);
  PJRT_ARGS(PJRT_Buffer_Destroy_Args, destroy);
  destroy.buffer = buffer;
  buffer = nullptr;
  PJRT_Error* error = owner->api().PJRT_Buffer_Destroy(&destroy);
  if (error != nullptr) owner->plugin.failure(error);
}

void Buffer::drop_if_deleted() {
  if (buffer == nullptr) return;
  PJRT_ARGS(PJRT_Buffer_IsDeleted_Args, args);
  args.buffer = buffer;
  owner->plugin.check(owner->api().PJRT_Buffer_IsDeleted(&args));
  if (args.is_deleted) free();
}

PJRT_Buffer* Buffer::live() const {
  if (buffer == nullptr) throw Failure("ERR_DELETED", "the buffer was freed or donated");
  return buffer;
}

// What the C API calls an executable is a view of a loaded one, to be destroyed after use.
template <class F>
auto Program::with_executable(F work) const {
  PJRT_ARGS(PJRT_LoadedExecutable_GetExecutable_Args, get);
  get.loaded_executable = live();
  owner->plugin.check(owner->api().PJRT_LoadedExecutable_GetExecutable(&get));
  auto destroy = [this](PJRT_Executable* executable) {
    PJRT_ARGS(PJRT_Executable_Destroy_Args, args);
    args.executable = executable;
    PJRT_Error* error = owner->api().PJRT_Executable_Destroy(&args);
    if (error != nullptr) owner->plugin.failure(error);
  };
  const std::unique_ptr<PJRT_Executable, decltype(destroy)> executable(get.executable, destroy);
  return work(executable.get());
}

Program::Program(std::shared_ptr<Client> client, PJRT_LoadedExecutable* loaded)
    : owner(std::move(client)), loaded(loaded) {
  owner->programs.insert(this);
  try {
    num_outputs = with_executable([this](PJRT_Executable* executable) {
      PJRT_ARGS(PJRT_Executable_NumOutputs_Args, count);
      count.executable = executable;
      owner->plugin.check(owner->api().PJRT_Executable_NumOutputs(&count));
      return count.num_outputs;
    });
  } catch (...) {
    free();
    throw;
  }
}

void Program::free() noexcept {
  if (loaded == nullptr) return;
  owner->programs.erase(this);
  PJRT_ARGS(PJRT_LoadedExecutable_Destroy_Args, destroy);
  destroy.executable = loaded;
  loaded = nullptr;
  PJRT_Error* error = owner->api().PJRT_LoadedExecutable_Destroy(&destroy);
  if (error != nullptr) owner->plugin.failure(error);
}

PJRT_LoadedExecutable* Program::live() const {
  if (loaded == nullptr) throw Failure("ERR_DELETED", "the program was freed");
  return loaded;
}

bool Program::serialize(std::string& out) const {
  const Plugin& plugin = owner->plugin;
  if (!PJRT_HAS(plugin, PJRT_Executable_Serialize)) return false;
  return with_executable([&](PJRT_Executable* executable) {
    PJRT_ARGS(PJRT_Executable_Serialize_Args, args);
    args.executable = executable;
    PJRT_Error* error = owner->api().PJRT_Executable_Serialize(&args);
    if (error == nullptr) {
      out.assign(args.serialized_bytes, args.serialized_bytes_size);
      args.serialized_executable_deleter(args.serialized_executable);
      return true;
    }
    const Failure failure = plugin.failure(error);
    if (failure.code == "ERR_PJRT_" + std::to_string(PJRT_Error_Code_UNIMPLEMENTED)) return false;
    throw failure;
  });
}

}  // namespace stagecraft
