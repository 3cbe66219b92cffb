// The dashboard's requests: pages for people, JSON views, the stream of changes, and the bundle's
// files (spec/hub-api.md §5). Called from the server's one I/O thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "hub/http.h"
#include "hub/log_folder.h"
#include "hub/order.h"
#include "hub/sequencer.h"

namespace harambee::hub {

struct DashboardLimits {
  std::int64_t streams_max = 1024;               // open event streams; more are answered 503
  std::int64_t stream_ms_max = 6 * 3600 * 1000;  // then the browser connects again
  std::int64_t beat_ms = 15'000;                 // a sign of life on a quiet stream
  std::uint64_t cache_bytes_max = 16ull << 20;   // views of the newest state
};

class Dashboard {
 public:
  // All borrowed; they outlive it.
  Dashboard(LogFolder& folder, Sequencer& sequencer, Order& order, std::string vkey,
            DashboardLimits limits = {});
  ~Dashboard();

  // None: not the dashboard's path.
  [[nodiscard]] std::optional<HttpResponse> get(const HttpRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The request prefers a page to JSON: its Accept field names text/html.
[[nodiscard]] bool wants_page(const HttpRequest& request);

}  // namespace harambee::hub
