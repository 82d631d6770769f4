// A loaded PJRT plugin: its table of functions, checked, and its errors as C++ exceptions.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

#include "pjrt_c_api.h"

namespace stagecraft {

// An argument struct with its size set, as every PJRT function asks. Not sizeof: padding at the end is where
// a later version may put a field.
#define PJRT_ARGS(type, name) \
  type name{};                \
  name.struct_size = type##_STRUCT_SIZE

// What goes to JavaScript as an Error: `code` is ERR_PJRT_<n>, n a PJRT_Error_Code, or names our own check.
struct Failure : std::runtime_error {
  std::string code;
  Failure(std::string code, const std::string& message) : runtime_error(message), code(std::move(code)) {}
};

class Plugin {
 public:
  // Loads and checks; a plugin stays loaded until the process ends. Throws ERR_PLUGIN_*.
  static const Plugin& load(const std::string& path);

  const PJRT_Api& api() const { return *api_; }
  // Whether the plugin is of an age to have the field that ends at `end` bytes of its table, and sets it.
  bool has(size_t offset) const;
  // Throws what a PJRT function returned, if anything.
  void check(PJRT_Error* error) const;
  // Takes an error apart and frees it.
  Failure failure(PJRT_Error* error) const;
  // Waits for an event and frees it; nothing for null.
  void await(PJRT_Event* event) const;

 private:
  Plugin(const std::string& path, const PJRT_Api* api);
  const PJRT_Api* api_;
};

#define PJRT_HAS(plugin, function) (plugin).has(offsetof(PJRT_Api, function))

}  // namespace stagecraft
