// A PJRT plugin for CPUs, for tests: XLA's own CPU client, as it lies in libtensorflow_cc, behind the C API.
// No wheel exports one. Options: `cpu_device_count` (default 1, or what XLA_FLAGS says by
// --xla_force_host_platform_device_count), `serializable` (default true; false refuses as plugins do that cannot
// serialise). Counts the memory it hands out.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "xla/hlo/builder/xla_computation.h"
#include "xla/literal.h"
#include "xla/pjrt/c/pjrt_c_api.h"
#include "xla/pjrt/pjrt_client.h"
#include "xla/pjrt/plugin/xla_cpu/cpu_client_options.h"
#include "xla/pjrt/plugin/xla_cpu/xla_cpu_pjrt_client.h"
#include "xla/pjrt/proto/compile_options.pb.h"

namespace xla {
// Of xla/pjrt/mlir_to_hlo.h, which needs MLIR's headers.
absl::Status ParseMlirModuleStringAndConvertToXlaComputation(absl::string_view text, XlaComputation& computation,
                                                             bool use_tuple_args, bool return_tuple);
}  // namespace xla

struct PJRT_Error {
  absl::Status status;
  std::string message;
};

struct PJRT_Event {
  xla::Future<> future;
  std::unique_ptr<xla::MutableBorrowingLiteral> target;  // of a read
};

struct PJRT_DeviceDescription {
  std::string kind, text;
};

struct PJRT_Device {
  xla::PjRtDevice* device;
  PJRT_DeviceDescription description;
};

struct PJRT_Client {
  std::unique_ptr<xla::PjRtClient> client;
  std::vector<std::unique_ptr<PJRT_Device>> devices;
  std::vector<PJRT_Device*> pointers;
  std::string platform, version;
  bool serializable = true;

  PJRT_Device* find(const xla::PjRtDevice* device) const {
    for (PJRT_Device* each : pointers)
      if (each->device == device) return each;
    return nullptr;
  }
};

struct PJRT_Buffer {
  PJRT_Client* client;
  std::unique_ptr<xla::PjRtBuffer> buffer;
};

struct PJRT_LoadedExecutable {
  PJRT_Client* client;
  std::shared_ptr<xla::PjRtLoadedExecutable> executable;
};

struct PJRT_Executable {
  PJRT_Client* client;
  std::shared_ptr<xla::PjRtLoadedExecutable> executable;
};

struct PJRT_SerializedExecutable {
  std::string bytes;
};

namespace {

std::atomic<int64_t> bytes_in_use{0};

class CountedMemory : public xla::CpuMemory {
 public:
  CountedMemory(size_t size, size_t alignment) : size_(size) {
    const size_t rounded = (std::max(size, size_t(1)) + alignment - 1) / alignment * alignment;
    base_ = std::aligned_alloc(alignment, rounded);
    bytes_in_use += int64_t(size);
  }
  ~CountedMemory() override {
    std::free(base_);
    bytes_in_use -= int64_t(size_);
  }
  void* base() const override { return base_; }
  size_t size_bytes() const override { return size_; }

 private:
  size_t size_;
  void* base_;
};

PJRT_Error* to_error(const absl::Status& status) {
  return status.ok() ? nullptr : new PJRT_Error{status, std::string(status.message())};
}

#define RETURN_IF_ERROR(status) \
  if (absl::Status problem = (status); !problem.ok()) return to_error(problem)

// In the order of PJRT_Buffer_Type.
const xla::PrimitiveType TYPES[] = {xla::PRIMITIVE_TYPE_INVALID, xla::PRED, xla::S8,  xla::S16, xla::S32,
                                    xla::S64,                    xla::U8,   xla::U16, xla::U32, xla::U64,
                                    xla::F16,                    xla::F32,  xla::F64, xla::BF16};
constexpr int NUM_TYPES = sizeof(TYPES) / sizeof(TYPES[0]);

// --- errors and events

void error_destroy(PJRT_Error_Destroy_Args* args) { delete args->error; }

void error_message(PJRT_Error_Message_Args* args) {
  args->message = args->error->message.data();
  args->message_size = args->error->message.size();
}

PJRT_Error* error_code(PJRT_Error_GetCode_Args* args) {
  args->code = PJRT_Error_Code(int(args->error->status.code()));
  return nullptr;
}

PJRT_Error* event_destroy(PJRT_Event_Destroy_Args* args) {
  delete args->event;
  return nullptr;
}

PJRT_Error* event_await(PJRT_Event_Await_Args* args) { return to_error(args->event->future.Await()); }

PJRT_Error* event_on_ready(PJRT_Event_OnReady_Args* args) {
  args->event->future.OnReady([callback = args->callback, user_arg = args->user_arg](const absl::Status& status) {
    callback(to_error(status), user_arg);
  });
  return nullptr;
}

// --- client and devices

PJRT_Error* plugin_initialize(PJRT_Plugin_Initialize_Args*) { return nullptr; }

absl::Status read_option(const PJRT_NamedValue& value, PJRT_Client& client, xla::CpuClientOptions& options) {
  const std::string name(value.name, value.name_size);
  if (name == "cpu_device_count" && value.type == PJRT_NamedValue_kInt64) {
    options.cpu_device_count = int(value.int64_value);
  } else if (name == "serializable" && value.type == PJRT_NamedValue_kBool) {
    client.serializable = value.bool_value;
  } else {
    return absl::InvalidArgumentError("unknown option, or one of another type: " + name);
  }
  return absl::OkStatus();
}

PJRT_Error* client_create(PJRT_Client_Create_Args* args) {
  auto result = std::make_unique<PJRT_Client>();
  xla::CpuClientOptions options;
  options.allocator = [](size_t size, size_t alignment) -> absl::StatusOr<std::unique_ptr<xla::CpuMemory>> {
    return std::make_unique<CountedMemory>(size, alignment);
  };
  for (size_t i = 0; i < args->num_options; i++) {
    RETURN_IF_ERROR(read_option(args->create_options[i], *result, options));
  }
  auto client = xla::GetXlaPjrtCpuClient(std::move(options));
  RETURN_IF_ERROR(client.status());
  result->client = *std::move(client);
  result->platform = std::string(result->client->platform_name());
  result->version = std::string(result->client->platform_version());
  for (xla::PjRtDevice* device : result->client->addressable_devices()) {
    PJRT_DeviceDescription description{std::string(device->device_kind()), std::string(device->ToString())};
    result->devices.push_back(std::make_unique<PJRT_Device>(PJRT_Device{device, std::move(description)}));
    result->pointers.push_back(result->devices.back().get());
  }
  args->client = result.release();
  return nullptr;
}

PJRT_Error* client_destroy(PJRT_Client_Destroy_Args* args) {
  delete args->client;
  return nullptr;
}

PJRT_Error* platform_name(PJRT_Client_PlatformName_Args* args) {
  args->platform_name = args->client->platform.data();
  args->platform_name_size = args->client->platform.size();
  return nullptr;
}

PJRT_Error* platform_version(PJRT_Client_PlatformVersion_Args* args) {
  args->platform_version = args->client->version.data();
  args->platform_version_size = args->client->version.size();
  return nullptr;
}

PJRT_Error* addressable_devices(PJRT_Client_AddressableDevices_Args* args) {
  args->addressable_devices = args->client->pointers.data();
  args->num_addressable_devices = args->client->pointers.size();
  return nullptr;
}

PJRT_Error* get_description(PJRT_Device_GetDescription_Args* args) {
  args->device_description = &args->device->description;
  return nullptr;
}

PJRT_Error* device_kind(PJRT_DeviceDescription_Kind_Args* args) {
  args->device_kind = args->device_description->kind.data();
  args->device_kind_size = args->device_description->kind.size();
  return nullptr;
}

PJRT_Error* device_to_string(PJRT_DeviceDescription_ToString_Args* args) {
  args->to_string = args->device_description->text.data();
  args->to_string_size = args->device_description->text.size();
  return nullptr;
}

PJRT_Error* memory_stats(PJRT_Device_MemoryStats_Args* args) {
  args->bytes_in_use = bytes_in_use;
  args->peak_bytes_in_use_is_set = args->bytes_limit_is_set = false;
  return nullptr;
}

// --- buffers

PJRT_Error* from_host(PJRT_Client_BufferFromHostBuffer_Args* args) {
  if (args->type <= 0 || args->type >= NUM_TYPES) return to_error(absl::UnimplementedError("element type"));
  auto memory = args->device->device->default_memory_space();
  RETURN_IF_ERROR(memory.status());
  auto buffer = args->client->client->BufferFromHostBuffer(
      args->data, TYPES[args->type], absl::MakeConstSpan(args->dims, args->num_dims), std::nullopt,
      xla::PjRtClient::HostBufferSemantics::kImmutableOnlyDuringCall, nullptr, *memory, nullptr);
  RETURN_IF_ERROR(buffer.status());
  args->buffer = new PJRT_Buffer{args->client, *std::move(buffer)};
  args->done_with_host_buffer = new PJRT_Event{xla::Future<>(absl::OkStatus()), nullptr};
  return nullptr;
}

PJRT_Error* buffer_destroy(PJRT_Buffer_Destroy_Args* args) {
  delete args->buffer;
  return nullptr;
}

PJRT_Error* buffer_type(PJRT_Buffer_ElementType_Args* args) {
  const xla::PrimitiveType type = args->buffer->buffer->element_type();
  args->type = PJRT_Buffer_Type_INVALID;
  for (int i = 1; i < NUM_TYPES; i++)
    if (TYPES[i] == type) args->type = PJRT_Buffer_Type(i);
  return nullptr;
}

PJRT_Error* buffer_dimensions(PJRT_Buffer_Dimensions_Args* args) {
  const auto dims = args->buffer->buffer->dimensions();
  args->dims = dims.data();
  args->num_dims = dims.size();
  return nullptr;
}

PJRT_Error* buffer_device(PJRT_Buffer_Device_Args* args) {
  args->device = args->buffer->client->find(args->buffer->buffer->device());
  return nullptr;
}

PJRT_Error* buffer_is_deleted(PJRT_Buffer_IsDeleted_Args* args) {
  args->is_deleted = args->buffer->buffer->IsDeleted();
  return nullptr;
}

PJRT_Error* to_host(PJRT_Buffer_ToHostBuffer_Args* args) {
  xla::PjRtBuffer& buffer = *args->src->buffer;
  const xla::Shape shape = xla::ShapeUtil::MakeShape(buffer.element_type(), buffer.dimensions());  // in rows
  const size_t size = size_t(xla::ShapeUtil::ByteSizeOf(shape));
  if (args->dst_size < size) return to_error(absl::InvalidArgumentError("the host's array is too small"));
  auto target = std::make_unique<xla::MutableBorrowingLiteral>(static_cast<const char*>(args->dst), shape);
  xla::Future<> future = buffer.ToLiteral(target.get());
  args->event = new PJRT_Event{std::move(future), std::move(target)};
  return nullptr;
}

// --- programs

PJRT_Error* compile(PJRT_Client_Compile_Args* args) {
  xla::CompileOptionsProto proto;
  if (!proto.ParseFromArray(args->compile_options, int(args->compile_options_size))) {
    return to_error(absl::InvalidArgumentError("the compile options are no CompileOptionsProto"));
  }
  auto options = xla::CompileOptions::FromProto(proto);
  RETURN_IF_ERROR(options.status());
  xla::XlaComputation computation;
  RETURN_IF_ERROR(xla::ParseMlirModuleStringAndConvertToXlaComputation(
      absl::string_view(args->program->code, args->program->code_size), computation, false, false));
  auto executable = args->client->client->CompileAndLoad(computation, *std::move(options));
  RETURN_IF_ERROR(executable.status());
  args->executable = new PJRT_LoadedExecutable{args->client, *std::move(executable)};
  return nullptr;
}

PJRT_Error* deserialize(PJRT_Executable_DeserializeAndLoad_Args* args) {
  if (!args->client->serializable) return to_error(absl::UnimplementedError("programs cannot be loaded"));
  const absl::string_view bytes(args->serialized_executable, args->serialized_executable_size);
  auto executable = args->client->client->LoadSerializedExecutable(bytes, std::nullopt, xla::LoadOptions());
  RETURN_IF_ERROR(executable.status());
  args->loaded_executable = new PJRT_LoadedExecutable{args->client, *std::move(executable)};
  return nullptr;
}

PJRT_Error* loaded_destroy(PJRT_LoadedExecutable_Destroy_Args* args) {
  delete args->executable;
  return nullptr;
}

PJRT_Error* get_executable(PJRT_LoadedExecutable_GetExecutable_Args* args) {
  args->executable = new PJRT_Executable{args->loaded_executable->client, args->loaded_executable->executable};
  return nullptr;
}

PJRT_Error* executable_destroy(PJRT_Executable_Destroy_Args* args) {
  delete args->executable;
  return nullptr;
}

PJRT_Error* num_outputs(PJRT_Executable_NumOutputs_Args* args) {
  auto shapes = args->executable->executable->GetOutputShapes();
  RETURN_IF_ERROR(shapes.status());
  const xla::Shape& shape = shapes->at(0);
  args->num_outputs = shape.IsTuple() ? size_t(shape.tuple_shapes().size()) : 1;
  return nullptr;
}

PJRT_Error* serialize(PJRT_Executable_Serialize_Args* args) {
  if (!args->executable->client->serializable) return to_error(absl::UnimplementedError("programs stay here"));
  auto bytes = args->executable->executable->SerializeExecutable();
  RETURN_IF_ERROR(bytes.status());
  args->serialized_executable = new PJRT_SerializedExecutable{*std::move(bytes)};
  args->serialized_bytes = args->serialized_executable->bytes.data();
  args->serialized_bytes_size = args->serialized_executable->bytes.size();
  args->serialized_executable_deleter = [](PJRT_SerializedExecutable* serialized) { delete serialized; };
  return nullptr;
}

PJRT_Error* execute(PJRT_LoadedExecutable_Execute_Args* args) {
  std::vector<std::vector<xla::PjRtBuffer*>> arguments(args->num_devices);
  for (size_t i = 0; i < args->num_devices; i++)
    for (size_t j = 0; j < args->num_args; j++) arguments[i].push_back(args->argument_lists[i][j]->buffer.get());
  auto outputs = args->executable->executable->Execute(arguments, xla::ExecuteOptions());
  RETURN_IF_ERROR(outputs.status());
  for (size_t i = 0; i < args->num_devices; i++)
    for (size_t j = 0; j < (*outputs)[i].size(); j++)
      args->output_lists[i][j] = new PJRT_Buffer{args->executable->client, std::move((*outputs)[i][j])};
  return nullptr;
}

PJRT_Api make_api() {
  PJRT_Api api{};
  api.struct_size = PJRT_Api_STRUCT_SIZE;
  api.pjrt_api_version = {PJRT_Api_Version_STRUCT_SIZE, nullptr, PJRT_API_MAJOR, PJRT_API_MINOR};
  api.PJRT_Error_Destroy = error_destroy;
  api.PJRT_Error_Message = error_message;
  api.PJRT_Error_GetCode = error_code;
  api.PJRT_Plugin_Initialize = plugin_initialize;
  api.PJRT_Event_Destroy = event_destroy;
  api.PJRT_Event_Await = event_await;
  api.PJRT_Event_OnReady = event_on_ready;
  api.PJRT_Client_Create = client_create;
  api.PJRT_Client_Destroy = client_destroy;
  api.PJRT_Client_PlatformName = platform_name;
  api.PJRT_Client_PlatformVersion = platform_version;
  api.PJRT_Client_AddressableDevices = addressable_devices;
  api.PJRT_Client_Compile = compile;
  api.PJRT_Client_BufferFromHostBuffer = from_host;
  api.PJRT_DeviceDescription_Kind = device_kind;
  api.PJRT_DeviceDescription_ToString = device_to_string;
  api.PJRT_Device_GetDescription = get_description;
  api.PJRT_Device_MemoryStats = memory_stats;
  api.PJRT_Executable_Destroy = executable_destroy;
  api.PJRT_Executable_NumOutputs = num_outputs;
  api.PJRT_Executable_Serialize = serialize;
  api.PJRT_LoadedExecutable_Destroy = loaded_destroy;
  api.PJRT_LoadedExecutable_GetExecutable = get_executable;
  api.PJRT_LoadedExecutable_Execute = execute;
  api.PJRT_Executable_DeserializeAndLoad = deserialize;
  api.PJRT_Buffer_Destroy = buffer_destroy;
  api.PJRT_Buffer_ElementType = buffer_type;
  api.PJRT_Buffer_Dimensions = buffer_dimensions;
  api.PJRT_Buffer_Device = buffer_device;
  api.PJRT_Buffer_IsDeleted = buffer_is_deleted;
  api.PJRT_Buffer_ToHostBuffer = to_host;
  return api;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const PJRT_Api* GetPjrtApi() {
  static const PJRT_Api api = make_api();
  return &api;
}
