#include "args.h"

#include <cmath>

namespace stagecraft {
namespace {

const char* type_name(napi_typedarray_type type) {
  switch (type) {
    case napi_float32_array: return "Float32Array";
    case napi_int32_array: return "Int32Array";
    case napi_float64_array: return "Float64Array";
    case napi_uint8_array: return "Uint8Array";
    default: return "another typed array";
  }
}

std::string shape_text(size_t rows, size_t columns) {
  if (columns == 1) return std::to_string(rows);
  return "[" + std::to_string(rows) + ", " + std::to_string(columns) + "] = " + std::to_string(rows * columns);
}

}  // namespace

Args::Args(napi_env env, napi_value object, const char* operation)
    : env_(env), object_(object), operation_(operation) {
  napi_valuetype type;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object) fail("expects one object");
}

Args Args::numbered(int number) const {
  Args args = *this;
  args.suffix_ = std::to_string(number);
  return args;
}

void Args::fail(const std::string& what) const { throw ArgumentError(std::string(operation_) + ": " + what); }

napi_value Args::value(const char* name) const {
  napi_value value;
  if (napi_get_named_property(env_, object_, full(name).c_str(), &value) != napi_ok) fail(full(name) + " cannot be read");
  return value;
}

bool Args::absent(napi_value value) const {
  napi_valuetype type;
  napi_typeof(env_, value, &type);
  return type == napi_undefined || type == napi_null;
}

bool Args::has(const char* name) const { return !absent(value(name)); }

double Args::real(const char* name) const {
  double result;
  if (napi_get_value_double(env_, value(name), &result) != napi_ok) fail(full(name) + " must be a number");
  return result;
}

float Args::number(const char* name) const { return static_cast<float>(real(name)); }

int Args::integer(const char* name, int min, int max) const {
  const double x = real(name);
  if (!(x >= min && x <= max) || x != std::floor(x)) {
    fail(full(name) + " is " + std::to_string(x) + ", expected an integer in " + std::to_string(min) +
         " … " + std::to_string(max));
  }
  return static_cast<int>(x);
}

bool Args::flag(const char* name) const {
  bool result;
  if (napi_get_value_bool(env_, value(name), &result) != napi_ok) fail(full(name) + " must be a boolean");
  return result;
}

std::string Args::text(const char* name) const {
  char buffer[64];
  size_t length;
  if (napi_get_value_string_utf8(env_, value(name), buffer, sizeof buffer, &length) != napi_ok) {
    fail(full(name) + " must be a string");
  }
  return std::string(buffer, length);
}

void* Args::typed_array(napi_value value, const std::string& name, napi_typedarray_type wanted, size_t rows,
                        size_t columns) const {
  bool is_typed = false;
  if (napi_is_typedarray(env_, value, &is_typed) != napi_ok || !is_typed) {
    fail(name + " must be a " + type_name(wanted));
  }
  napi_typedarray_type type;
  size_t length;
  void* data;
  if (napi_get_typedarray_info(env_, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    fail(name + " cannot be read");
  }
  if (type != wanted) fail(name + " is a " + type_name(type) + ", expected a " + type_name(wanted));
  if (length != rows * columns) {
    fail(name + " has " + std::to_string(length) + " values, expected " + shape_text(rows, columns));
  }
  return data;
}

float* Args::floats(const char* name, size_t rows, size_t columns) const {
  return static_cast<float*>(typed_array(value(name), full(name), napi_float32_array, rows, columns));
}

float* Args::optional_floats(const char* name, size_t rows, size_t columns) const {
  const napi_value array = value(name);
  if (absent(array)) return nullptr;
  return static_cast<float*>(typed_array(array, full(name), napi_float32_array, rows, columns));
}

double* Args::doubles(const char* name, size_t rows, size_t columns) const {
  return static_cast<double*>(typed_array(value(name), full(name), napi_float64_array, rows, columns));
}

int32_t* Args::ints(const char* name, size_t count) const {
  return static_cast<int32_t*>(typed_array(value(name), full(name), napi_int32_array, count, 1));
}

int32_t* Args::optional_ints(const char* name, size_t count) const {
  const napi_value array = value(name);
  if (absent(array)) return nullptr;
  return static_cast<int32_t*>(typed_array(array, full(name), napi_int32_array, count, 1));
}

uint32_t Args::list_length(const char* name) const {
  uint32_t length;
  if (napi_get_array_length(env_, value(name), &length) != napi_ok) fail(full(name) + " must be an array");
  return length;
}

float* Args::list_floats(const char* name, uint32_t index, size_t rows, size_t columns, bool optional) const {
  const std::string element_name = full(name) + "[" + std::to_string(index) + "]";
  napi_value element;
  if (napi_get_element(env_, value(name), index, &element) != napi_ok) fail(element_name + " cannot be read");
  if (optional && absent(element)) return nullptr;
  return static_cast<float*>(typed_array(element, element_name, napi_float32_array, rows, columns));
}

void check_ids(const Args& args, const char* name, const int32_t* ids, size_t count, int min, int limit) {
  for (size_t i = 0; i < count; i++) {
    if (ids[i] >= min && ids[i] < limit) continue;
    args.fail(std::string(name) + "[" + std::to_string(i) + "] is " + std::to_string(ids[i]) + ", outside " +
              std::to_string(min) + " … " + std::to_string(limit - 1));
  }
}

}  // namespace stagecraft
