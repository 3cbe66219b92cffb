// Model files from anywhere: safetensors headers, and data manifests, which come with them.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "format/data.h"
#include "format/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace harambee;
  const View input(data, size);
  if (const auto file = format::parse_safetensors(input); file.ok()) {
    std::uint64_t bytes = 0;
    for (const format::Tensor& tensor : file->tensors) {
      // Spans lie within the data section and fit their shapes.
      HARAMBEE_CHECK(tensor.data.data() >= data + file->data_offset);
      HARAMBEE_CHECK(tensor.data.data() + tensor.data.size() <= data + size);
      std::uint64_t bits = format::dtype_bits(tensor.dtype);
      for (const std::uint64_t dimension : tensor.shape) bits *= dimension;
      HARAMBEE_CHECK(bits == 8 * tensor.data.size());
      HARAMBEE_CHECK(file->find(tensor.name) == &tensor);
      bytes += tensor.data.size();
    }
    HARAMBEE_CHECK(file->data_offset + bytes == size);
  }
  if (const auto manifest = format::parse_data_manifest(input); manifest.ok()) {
    HARAMBEE_CHECK(text(format::write_data_manifest(*manifest)) == text(input));
  }
  return 0;
}
