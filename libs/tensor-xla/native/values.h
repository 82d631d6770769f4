// JavaScript values in and out; a value of another kind throws ERR_ARGUMENT.
#pragma once

#include <node_api.h>

#include <memory>
#include <string>
#include <vector>

#include "handles.h"

namespace stagecraft {

// The arguments of a call.
struct Call {
  napi_env env;
  std::vector<napi_value> values;

  napi_value at(size_t index) const;
  std::string text(size_t index) const;
  int64_t integer(size_t index) const;
  std::vector<int64_t> integers(size_t index) const;
};

struct Bytes {
  void* data;
  size_t size;
};

std::string to_text(napi_env env, napi_value value);
int64_t to_integer(napi_env env, napi_value value);
// The memory of a typed array.
Bytes to_bytes(napi_env env, napi_value value);
std::vector<napi_value> to_list(napi_env env, napi_value value);

napi_value from_text(napi_env env, const char* data, size_t size);
napi_value from_number(napi_env env, double number);
void set(napi_env env, napi_value object, const char* name, napi_value value);
// An Error with `code`, not thrown.
napi_value to_error(napi_env env, const Failure& failure);

// Handles in externals: a first word says which kind it is.
template <class T>
struct Handle {
  const void* kind;
  T value;
  static const char KIND;
};
template <class T>
const char Handle<T>::KIND = 0;

template <class T>
napi_value to_handle(napi_env env, T value) {
  auto* handle = new Handle<T>{&Handle<T>::KIND, std::move(value)};
  napi_value external;
  napi_create_external(
      env, handle, [](napi_env, void* data, void*) { delete static_cast<Handle<T>*>(data); }, nullptr, &external);
  return external;
}

template <class T>
T& from_handle(napi_env env, napi_value value) {
  void* data = nullptr;
  if (napi_get_value_external(env, value, &data) != napi_ok ||
      *static_cast<const void* const*>(data) != &Handle<T>::KIND) {
    throw Failure("ERR_ARGUMENT", "an argument is not the kind of handle that is needed here");
  }
  return static_cast<Handle<T>*>(data)->value;
}

using ClientRef = std::shared_ptr<Client>;
using BufferRef = std::unique_ptr<Buffer>;
using ProgramRef = std::unique_ptr<Program>;

}  // namespace stagecraft
