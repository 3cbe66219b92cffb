// Memory for a whole training or evaluation, taken once, so that a step allocates nothing.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace harambee::trainer {

// Floats aligned to a cache line.
class FloatBuffer {
 public:
  static constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

  // Zeroed; empty if the system has not as much.
  [[nodiscard]] static FloatBuffer make(std::size_t size) {
    FloatBuffer buffer;
    const std::size_t alignment = size * sizeof(float) < kHugePageBytes ? 64 : kHugePageBytes;
    const std::size_t bytes = (size * sizeof(float) + alignment - 1) / alignment * alignment;
    buffer.data_.reset(static_cast<float*>(std::aligned_alloc(alignment, bytes)));
    if (buffer.data_ == nullptr) return buffer;
#if defined(MADV_HUGEPAGE)
    // A step walks through tens of megabytes, and small pages make it wait for page tables too.
    // Advice only: where it is refused, nothing is lost.
    if (alignment == kHugePageBytes) madvise(buffer.data_.get(), bytes, MADV_HUGEPAGE);
#endif
    std::memset(buffer.data_.get(), 0, size * sizeof(float));
    buffer.size_ = size;
    return buffer;
  }
  [[nodiscard]] float* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float[], Free> data_;
  std::size_t size_ = 0;
};

// Hands out parts of one buffer, each on its own cache line. With a null base it only measures.
class Arena {
 public:
  explicit Arena(float* base) : base_(base) {}
  float* take(std::size_t floats) {
    float* const p = base_ == nullptr ? nullptr : base_ + used_;
    used_ += (floats + 15) / 16 * 16;
    return p;
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  float* base_;
  std::size_t used_ = 0;
};

}  // namespace harambee::trainer
