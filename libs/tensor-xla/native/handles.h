// What JavaScript holds of a plugin: clients, buffers and programs as externals, freed when collected.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "plugin.h"

namespace stagecraft {

struct Buffer;
struct Program;

// A client and everything made with it. `close` frees them all; what is left of a handle is refused.
struct Client {
  const Plugin& plugin;
  PJRT_Client* client = nullptr;
  std::vector<PJRT_Device*> devices;
  std::unordered_set<Buffer*> buffers;
  std::unordered_set<Program*> programs;
  std::unordered_set<PJRT_Event*> reads;  // under way; the plugin writes into memory of JavaScript's

  Client(const Plugin& plugin, const PJRT_NamedValue* options, size_t num_options);
  ~Client() { close(); }
  const PJRT_Api& api() const { return plugin.api(); }
  void close() noexcept;
  PJRT_Client* live() const;
  int place_of(PJRT_Device* device) const;
};

// An array on a device. `buffer` is null once it is freed, donated, or its client closed.
struct Buffer {
  std::shared_ptr<Client> owner;
  PJRT_Buffer* buffer;

  Buffer(std::shared_ptr<Client> owner, PJRT_Buffer* buffer);
  ~Buffer() { free(); }
  void free() noexcept;
  // Lets go of a buffer that an execution has taken.
  void drop_if_deleted();
  PJRT_Buffer* live() const;
};

struct Program {
  std::shared_ptr<Client> owner;
  PJRT_LoadedExecutable* loaded;
  size_t num_outputs = 0;

  Program(std::shared_ptr<Client> owner, PJRT_LoadedExecutable* loaded);
  ~Program() { free(); }
  void free() noexcept;
  PJRT_LoadedExecutable* live() const;
  // False where the plugin cannot; bytes into `out` otherwise.
  bool serialize(std::string& out) const;

 private:
  template <class F>
  auto with_executable(F work) const;
};

}  // namespace stagecraft
