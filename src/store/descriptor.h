// A file descriptor that closes itself, and what the operating system said. Only for store/*.cpp.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace harambee::store {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  explicit operator bool() const { return value_ >= 0; }
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }
  // False when the system reports a late write error.
  [[nodiscard]] bool close() { return ::close(release()) == 0; }

 private:
  int value_;
};

// errno as an error: not_found for ENOENT, io for the rest (a full disk too).
[[nodiscard]] Error os_error(const std::string& what, const std::string& path);
[[nodiscard]] Status write_all(const Descriptor& file, View bytes, std::uint64_t offset,
                               const std::string& path);

}  // namespace harambee::store
