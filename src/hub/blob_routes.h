// Blobs over HTTP: ranges out, resumable uploads in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "hub/http.h"
#include "hub/order.h"
#include "hub/shelf.h"

namespace harambee::hub {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const ByteRange&) const = default;
};
enum class RangeKind { whole, part, unsatisfiable };
struct RangeAnswer {
  RangeKind kind = RangeKind::whole;
  ByteRange range;
};
// A Range field (RFC 9110 §14.2) against a representation of `size` bytes. What we do not know
// (several ranges, other units, nonsense) is ignored, as the RFC wants: the whole.
[[nodiscard]] RangeAnswer parse_range(std::string_view field, std::uint64_t size);

struct ContentRange {
  ByteRange range;
  std::uint64_t total = 0;
  bool operator==(const ContentRange&) const = default;
};
// "bytes a-b/N" of an upload, all three known and consistent.
[[nodiscard]] Result<ContentRange> parse_content_range(std::string_view field);

// Strict decimal below 2^63.
[[nodiscard]] std::optional<std::uint64_t> parse_decimal(std::string_view text);

class BlobRoutes {
 public:
  struct Limits {
    std::uint64_t blob_bytes_max = 0;
    std::uint64_t free_bytes_min = 0;
  };
  BlobRoutes(Limits limits, Order& order, Shelf& shelf, BlobShelf& blobs,
             std::function<void()> wake);
  ~BlobRoutes();

  [[nodiscard]] HttpResponse get(std::string_view name, const HttpRequest& request);
  [[nodiscard]] HttpResponse upload_state(std::string_view name);
  [[nodiscard]] BodyPlan plan_put(std::string_view name, const HttpRequest& head);
  // The same for bytes that are wanted though no record names them yet: all `size` of them at once.
  [[nodiscard]] BodyPlan plan_wanted(const Digest& digest, std::uint64_t size,
                                     const HttpRequest& head);
  // The same for one part of them, as S3 takes parts: answered with an ETag, and again if it was
  // there already. Parts come in order; one that comes too early is asked to come again (503). What
  // was there of a part when its sender went away is not written twice.
  [[nodiscard]] BodyPlan plan_part(const Digest& digest, const ContentRange& part,
                                   const HttpRequest& head);

 private:
  [[nodiscard]] BodyPlan take(const Digest& digest, const ContentRange& range);

  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace harambee::hub
