// Arrays to the device and back.
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "entries.h"

namespace stagecraft {
namespace {

// upload(client, device, type, dims, array) → buffer; the array may change as soon as this returns
napi_value upload(const Call& call) {
  const ClientRef& client = from_handle<ClientRef>(call.env, call.at(0));
  const auto dims = call.integers(3);
  PJRT_ARGS(PJRT_Client_BufferFromHostBuffer_Args, args);
  args.client = client->live();
  args.device = client->devices.at(size_t(call.integer(1)));
  args.type = PJRT_Buffer_Type(call.integer(2));
  args.dims = dims.data();
  args.num_dims = dims.size();
  args.data = to_bytes(call.env, call.at(4)).data;
  args.host_buffer_semantics = PJRT_HostBufferSemantics_kImmutableOnlyDuringCall;
  client->plugin.check(client->api().PJRT_Client_BufferFromHostBuffer(&args));
  auto buffer = std::make_unique<Buffer>(client, args.buffer);
  client->plugin.await(args.done_with_host_buffer);
  return to_handle<BufferRef>(call.env, std::move(buffer));
}

// describeBuffer(buffer) → [type, device, ...dims]
napi_value describe_buffer(const Call& call) {
  const Buffer& buffer = *from_handle<BufferRef>(call.env, call.at(0));
  const Client& client = *buffer.owner;
  PJRT_ARGS(PJRT_Buffer_ElementType_Args, type);
  type.buffer = buffer.live();
  client.plugin.check(client.api().PJRT_Buffer_ElementType(&type));
  PJRT_ARGS(PJRT_Buffer_Device_Args, device);
  device.buffer = buffer.live();
  client.plugin.check(client.api().PJRT_Buffer_Device(&device));
  PJRT_ARGS(PJRT_Buffer_Dimensions_Args, dims);
  dims.buffer = buffer.live();
  client.plugin.check(client.api().PJRT_Buffer_Dimensions(&dims));
  napi_value list;
  napi_create_array(call.env, &list);
  napi_set_element(call.env, list, 0, from_number(call.env, type.type));
  napi_set_element(call.env, list, 1, from_number(call.env, client.place_of(device.device)));
  for (size_t i = 0; i < dims.num_dims; i++) {
    napi_set_element(call.env, list, uint32_t(i + 2), from_number(call.env, double(dims.dims[i])));
  }
  return list;
}

// A copy to the host that is under way, in rows whatever the device's own order is.
PJRT_Event* start_read(const Buffer& buffer, Bytes to) {
  const Client& client = *buffer.owner;
  PJRT_ARGS(PJRT_Buffer_Dimensions_Args, dims);
  dims.buffer = buffer.live();
  client.plugin.check(client.api().PJRT_Buffer_Dimensions(&dims));
  std::vector<int64_t> minor_to_major(dims.num_dims);
  for (size_t i = 0; i < dims.num_dims; i++) minor_to_major[i] = int64_t(dims.num_dims - 1 - i);
  PJRT_ARGS(PJRT_Buffer_MemoryLayout, layout);
  layout.type = PJRT_Buffer_MemoryLayout_Type_Tiled;
  layout.tiled.struct_size = PJRT_Buffer_MemoryLayout_Tiled_STRUCT_SIZE;
  layout.tiled.minor_to_major = minor_to_major.data();
  layout.tiled.minor_to_major_size = minor_to_major.size();
  PJRT_ARGS(PJRT_Buffer_ToHostBuffer_Args, args);
  args.src = buffer.live();
  args.host_layout = &layout;
  args.dst = to.data;
  args.dst_size = to.size;
  client.plugin.check(client.api().PJRT_Buffer_ToHostBuffer(&args));
  return args.event;
}

// readSync(buffer, array)
napi_value read_sync(const Call& call) {
  const Buffer& buffer = *from_handle<BufferRef>(call.env, call.at(0));
  buffer.owner->plugin.await(start_read(buffer, to_bytes(call.env, call.at(1))));
  return nullptr;
}

// Opened by the plugin's thread when it has nothing more to do with a read.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open = false;

  void open() {
    const std::lock_guard<std::mutex> lock(mutex);
    is_open = true;
    changed.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this] { return is_open; });
  }
};

// A read that JavaScript awaits. The plugin writes into the array until `event` is ready, so the array is
// kept, and a thread that ends waits for it, and until the plugin's thread has told so: what it tells is
// gone with the thread that ends.
struct Read {
  std::shared_ptr<Gate> told = std::make_shared<Gate>();
  ClientRef owner;
  PJRT_Event* event = nullptr;
  napi_ref array = nullptr;
  napi_deferred deferred = nullptr;
  napi_threadsafe_function done = nullptr;
  std::unique_ptr<Failure> failure;
};

// On the plugin's thread, or at once.
void on_ready(PJRT_Error* error, void* data) {
  auto* read = static_cast<Read*>(data);
  if (error != nullptr) read->failure.reset(new Failure(read->owner->plugin.failure(error)));
  const std::shared_ptr<Gate> told = read->told;  // `read` may be settled, and gone, as soon as it is told
  napi_call_threadsafe_function(read->done, read, napi_tsfn_nonblocking);
  told->open();
}

void wait_for(void* data) { static_cast<Read*>(data)->told->wait(); }

// Back on JavaScript's thread; without `env` that thread is ending.
void settle(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Read> read(static_cast<Read*>(data));
  read->owner->reads.erase(read->event);
  PJRT_ARGS(PJRT_Event_Destroy_Args, destroy);
  destroy.event = read->event;
  PJRT_Error* error = read->owner->api().PJRT_Event_Destroy(&destroy);
  if (error != nullptr) read->owner->plugin.failure(error);
  if (env == nullptr) return;
  napi_remove_env_cleanup_hook(env, wait_for, read.get());
  napi_value value;
  if (read->failure != nullptr) {
    napi_reject_deferred(env, read->deferred, to_error(env, *read->failure));
  } else {
    napi_get_reference_value(env, read->array, &value);
    napi_resolve_deferred(env, read->deferred, value);
  }
  napi_delete_reference(env, read->array);
  napi_release_threadsafe_function(read->done, napi_tsfn_release);
}

// read(buffer, array) → promise of the array
napi_value read_async(const Call& call) {
  const Buffer& buffer = *from_handle<BufferRef>(call.env, call.at(0));
  auto read = std::make_unique<Read>();
  read->owner = buffer.owner;
  read->event = start_read(buffer, to_bytes(call.env, call.at(1)));
  read->owner->reads.insert(read->event);
  napi_value promise;
  napi_create_promise(call.env, &read->deferred, &promise);
  napi_create_reference(call.env, call.at(1), 1, &read->array);
  napi_create_threadsafe_function(call.env, nullptr, nullptr, from_text(call.env, "read", 4), 0, 1, nullptr,
                                  nullptr, nullptr, settle, &read->done);
  napi_add_env_cleanup_hook(call.env, wait_for, read.get());
  PJRT_ARGS(PJRT_Event_OnReady_Args, ready);
  ready.event = read->event;
  ready.callback = on_ready;
  ready.user_arg = read.get();
  PJRT_Error* error = buffer.owner->api().PJRT_Event_OnReady(&ready);
  Read* pending = read.release();  // settle's from here on
  if (error != nullptr) on_ready(error, pending);
  return promise;
}

// Frees what an execution has donated meanwhile, and tells whether anything is left.
napi_value is_deleted(const Call& call) {
  Buffer& buffer = *from_handle<BufferRef>(call.env, call.at(0));
  buffer.drop_if_deleted();
  napi_value value;
  napi_get_boolean(call.env, buffer.buffer == nullptr, &value);
  return value;
}

napi_value free_buffer(const Call& call) {
  from_handle<BufferRef>(call.env, call.at(0))->free();
  return nullptr;
}

const EntryPoint ENTRIES[] = {{"upload", upload},        {"describeBuffer", describe_buffer},
                              {"readSync", read_sync},   {"read", read_async},
                              {"isDeleted", is_deleted}, {"freeBuffer", free_buffer}};

}  // namespace

void export_buffers(napi_env env, napi_value exports) {
  for (const EntryPoint& point : ENTRIES) export_entry(env, exports, point);
}

}  // namespace stagecraft
