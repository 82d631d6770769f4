// Registration of native functions: each takes one object (see Args) and returns a value or nothing.
#pragma once
#include <node_api.h>

#include <cstddef>

#include "args.h"

namespace stagecraft {

using Entry = napi_value (*)(napi_env env, const Args& args);

struct EntryPoint {
  const char* name;
  Entry call;
};

// Adds the functions to `exports`; C++ exceptions become JavaScript errors.
void export_entries(napi_env env, napi_value exports, const EntryPoint* entries, size_t count);

template <size_t N>
void export_entries(napi_env env, napi_value exports, const EntryPoint (&entries)[N]) {
  export_entries(env, exports, entries, N);
}

}  // namespace stagecraft
