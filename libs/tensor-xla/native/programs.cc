// Programs: compiled, loaded, run.
#include "entries.h"

namespace stagecraft {
namespace {

napi_value to_program(napi_env env, const ClientRef& client, PJRT_LoadedExecutable* loaded) {
  auto program = std::make_unique<Program>(client, loaded);
  napi_value object;
  napi_create_object(env, &object);
  set(env, object, "numOutputs", from_number(env, double(program->num_outputs)));
  set(env, object, "program", to_handle<ProgramRef>(env, std::move(program)));
  return object;
}

// compile(client, text, options) → { program, numOutputs }; options: a serialised CompileOptionsProto
napi_value compile(const Call& call) {
  const ClientRef& client = from_handle<ClientRef>(call.env, call.at(0));
  std::string text = call.text(1);
  const Bytes options = to_bytes(call.env, call.at(2));
  const std::string format = "mlir";
  PJRT_ARGS(PJRT_Program, program);
  program.code = &text[0];
  program.code_size = text.size();
  program.format = format.data();
  program.format_size = format.size();
  PJRT_ARGS(PJRT_Client_Compile_Args, args);
  args.client = client->live();
  args.program = &program;
  args.compile_options = static_cast<const char*>(options.data);
  args.compile_options_size = options.size;
  client->plugin.check(client->api().PJRT_Client_Compile(&args));
  return to_program(call.env, client, args.executable);
}

// load(client, bytes) → { program, numOutputs }
napi_value load(const Call& call) {
  const ClientRef& client = from_handle<ClientRef>(call.env, call.at(0));
  const Bytes bytes = to_bytes(call.env, call.at(1));
  if (!PJRT_HAS(client->plugin, PJRT_Executable_DeserializeAndLoad)) {
    throw Failure("ERR_PJRT_" + std::to_string(PJRT_Error_Code_UNIMPLEMENTED), "this plugin cannot load programs");
  }
  PJRT_ARGS(PJRT_Executable_DeserializeAndLoad_Args, args);
  args.client = client->live();
  args.serialized_executable = static_cast<const char*>(bytes.data);
  args.serialized_executable_size = bytes.size;
  client->plugin.check(client->api().PJRT_Executable_DeserializeAndLoad(&args));
  return to_program(call.env, client, args.loaded_executable);
}

// serialize(program) → a Buffer, or undefined where the plugin cannot
napi_value serialize(const Call& call) {
  const Program& program = *from_handle<ProgramRef>(call.env, call.at(0));
  std::string bytes;
  if (!program.serialize(bytes)) return nullptr;
  napi_value buffer;
  napi_create_buffer_copy(call.env, bytes.size(), bytes.data(), nullptr, &buffer);
  return buffer;
}

// The arguments of one device.
std::vector<Buffer*> arguments_of(const Call& call, napi_value list, const Client& client) {
  std::vector<Buffer*> buffers;
  for (napi_value value : to_list(call.env, list)) {
    Buffer* buffer = from_handle<BufferRef>(call.env, value).get();
    if (buffer->owner.get() != &client) throw Failure("ERR_ARGUMENT", "an argument is another client's");
    buffers.push_back(buffer);
  }
  return buffers;
}

// execute(program, [buffers of each device]) → [buffers of each device]; does not wait for them
napi_value execute(const Call& call) {
  const Program& program = *from_handle<ProgramRef>(call.env, call.at(0));
  const ClientRef& client = program.owner;
  std::vector<std::vector<Buffer*>> arguments;
  for (napi_value list : to_list(call.env, call.at(1))) arguments.push_back(arguments_of(call, list, *client));
  const size_t num_devices = arguments.size();
  const size_t num_args = num_devices == 0 ? 0 : arguments[0].size();
  std::vector<std::vector<PJRT_Buffer*>> in(num_devices), out(num_devices);
  std::vector<PJRT_Buffer* const*> in_lists;
  std::vector<PJRT_Buffer**> out_lists;
  for (size_t i = 0; i < num_devices; i++) {
    if (arguments[i].size() != num_args) throw Failure("ERR_ARGUMENT", "devices differ in their arguments");
    for (const Buffer* buffer : arguments[i]) in[i].push_back(buffer->live());
    out[i].resize(program.num_outputs);
    in_lists.push_back(in[i].data());
    out_lists.push_back(out[i].data());
  }
  PJRT_ARGS(PJRT_ExecuteOptions, options);
  PJRT_ARGS(PJRT_LoadedExecutable_Execute_Args, args);
  args.executable = program.live();
  args.options = &options;
  args.argument_lists = in_lists.data();
  args.num_devices = num_devices;
  args.num_args = num_args;
  args.output_lists = out_lists.data();
  PJRT_Error* error = client->api().PJRT_LoadedExecutable_Execute(&args);
  if (error != nullptr) {
    const Failure failure = client->plugin.failure(error);
    for (auto& list : arguments)
      for (Buffer* buffer : list) buffer->drop_if_deleted();
    throw failure;
  }
  for (auto& list : arguments)
    for (Buffer* buffer : list) buffer->drop_if_deleted();

  napi_value lists;
  napi_create_array(call.env, &lists);
  for (size_t i = 0; i < num_devices; i++) {
    napi_value list;
    napi_create_array_with_length(call.env, program.num_outputs, &list);
    for (size_t j = 0; j < program.num_outputs; j++) {
      auto buffer = std::make_unique<Buffer>(client, out[i][j]);
      napi_set_element(call.env, list, uint32_t(j), to_handle<BufferRef>(call.env, std::move(buffer)));
    }
    napi_set_element(call.env, lists, uint32_t(i), list);
  }
  return lists;
}

napi_value free_program(const Call& call) {
  from_handle<ProgramRef>(call.env, call.at(0))->free();
  return nullptr;
}

const EntryPoint ENTRIES[] = {{"compile", compile},
                              {"load", load},
                              {"serialize", serialize},
                              {"execute", execute},
                              {"freeProgram", free_program}};

}  // namespace

void export_programs(napi_env env, napi_value exports) {
  for (const EntryPoint& point : ENTRIES) export_entry(env, exports, point);
}

}  // namespace stagecraft
