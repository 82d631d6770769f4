// Registration of native functions: each takes one object (see Args) and returns a value or nothing.
#pragma once
#include "args.h"
#include "kernels.h"

namespace stagecraft {

using Entry = napi_value (*)(napi_env env, const Args& args);

struct EntryPoint {
  const char* name;
  Entry call;
};

const Kernels& kernels();

// Adds the functions to `exports`; C++ exceptions become JavaScript errors.
void export_entries(napi_env env, napi_value exports, const EntryPoint* entries, size_t count);

void export_operations(napi_env env, napi_value exports);
void export_layers(napi_env env, napi_value exports);
void export_optimizer(napi_env env, napi_value exports);
void export_decoder(napi_env env, napi_value exports);

constexpr int MAX_SIZE = 1 << 28;       // of any one dimension
constexpr int MAX_POSITION = 1 << 22;   // of rotary tables

}  // namespace stagecraft
