// The parts of the addon, each with a table of functions of its own.
#pragma once
#include <node_api.h>

namespace stagecraft {

void export_operations(napi_env env, napi_value exports);
void export_layers(napi_env env, napi_value exports);
void export_optimizer(napi_env env, napi_value exports);
void export_decoder(napi_env env, napi_value exports);

}  // namespace stagecraft
