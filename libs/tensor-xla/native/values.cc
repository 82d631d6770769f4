#include "values.h"

namespace stagecraft {
namespace {

[[noreturn]] void refuse(const char* wanted) {
  throw Failure("ERR_ARGUMENT", std::string("an argument is not ") + wanted);
}

}  // namespace

napi_value Call::at(size_t index) const {
  if (index >= values.size()) throw Failure("ERR_ARGUMENT", "too few arguments");
  return values[index];
}

std::string Call::text(size_t index) const { return to_text(env, at(index)); }

int64_t Call::integer(size_t index) const { return to_integer(env, at(index)); }

std::vector<int64_t> Call::integers(size_t index) const {
  std::vector<int64_t> result;
  for (napi_value value : to_list(env, at(index))) result.push_back(to_integer(env, value));
  return result;
}

std::string to_text(napi_env env, napi_value value) {
  size_t size = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &size) != napi_ok) refuse("a string");
  std::string text(size + 1, '\0');
  napi_get_value_string_utf8(env, value, &text[0], size + 1, &size);
  text.resize(size);
  return text;
}

int64_t to_integer(napi_env env, napi_value value) {
  int64_t number = 0;
  if (napi_get_value_int64(env, value, &number) != napi_ok) refuse("a number");
  return number;
}

Bytes to_bytes(napi_env env, napi_value value) {
  static const size_t SIZES[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};  // in the order of napi_typedarray_type
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || size_t(type) >= sizeof(SIZES) / sizeof(SIZES[0])) refuse("a typed array");
  return {data, length * SIZES[type]};
}

std::vector<napi_value> to_list(napi_env env, napi_value value) {
  uint32_t length = 0;
  if (napi_get_array_length(env, value, &length) != napi_ok) refuse("an array");
  std::vector<napi_value> list(length);
  for (uint32_t i = 0; i < length; i++) napi_get_element(env, value, i, &list[i]);
  return list;
}

napi_value from_text(napi_env env, const char* data, size_t size) {
  napi_value value;
  napi_create_string_utf8(env, data, size, &value);
  return value;
}

napi_value from_number(napi_env env, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  return value;
}

void set(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

napi_value to_error(napi_env env, const Failure& failure) {
  const std::string message = failure.what();
  napi_value error;
  napi_create_error(env, from_text(env, failure.code.data(), failure.code.size()),
                    from_text(env, message.data(), message.size()), &error);
  return error;
}

}  // namespace stagecraft
