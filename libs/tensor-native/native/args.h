// Checked access to the one object argument of every native entry: a missing field, a wrong type or
// length throws a JavaScript error that names the operation, the field and both sizes.
#pragma once
#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace stagecraft {

constexpr int MAX_SIZE = 1 << 28;      // of any one dimension
constexpr int MAX_POSITION = 1 << 22;  // of rotary tables

struct ArgumentError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Args {
 public:
  Args(napi_env env, napi_value object, const char* operation);

  // The same object, with every name followed by `number`: the fields of one of several layers.
  Args numbered(int number) const;

  int integer(const char* name, int min, int max) const;
  float number(const char* name) const;
  double real(const char* name) const;
  bool flag(const char* name) const;
  std::string text(const char* name) const;
  bool has(const char* name) const;
  napi_value value(const char* name) const;

  // Arrays of exactly rows × columns elements.
  float* floats(const char* name, size_t rows, size_t columns = 1) const;
  float* optional_floats(const char* name, size_t rows, size_t columns = 1) const;
  double* doubles(const char* name, size_t rows, size_t columns) const;
  int32_t* ints(const char* name, size_t count) const;
  int32_t* optional_ints(const char* name, size_t count) const;
  // The same for a list of arrays: element i of the field.
  uint32_t list_length(const char* name) const;
  float* list_floats(const char* name, uint32_t index, size_t rows, size_t columns, bool optional) const;

  [[noreturn]] void fail(const std::string& what) const;

 private:
  napi_env env_;
  napi_value object_;
  const char* operation_;
  std::string suffix_;

  std::string full(const char* name) const { return name + suffix_; }
  bool absent(napi_value value) const;
  void* typed_array(napi_value value, const std::string& name, napi_typedarray_type type, size_t rows,
                    size_t columns) const;
};

// Every id must lie in [min, limit).
void check_ids(const Args& args, const char* name, const int32_t* ids, size_t count, int min, int limit);

}  // namespace stagecraft
