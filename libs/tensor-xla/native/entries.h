// The functions of the addon, by the file that has them.
#pragma once

#include "values.h"

namespace stagecraft {

using Entry = napi_value (*)(const Call& call);

struct EntryPoint {
  const char* name;
  Entry entry;
};

void export_entry(napi_env env, napi_value exports, const EntryPoint& point);
void export_client(napi_env env, napi_value exports);
void export_buffers(napi_env env, napi_value exports);
void export_programs(napi_env env, napi_value exports);

}  // namespace stagecraft
