// Stands in for MLIR's header, which the wheel does not carry: XLA's client names ModuleOp in functions that the
// test plugin never calls.
#pragma once

namespace mlir {
class ModuleOp {
  void* operation = nullptr;
};
}  // namespace mlir
