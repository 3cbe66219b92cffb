// port/wire.h over libcurl.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "port/wire.h"

namespace harambee::net {

struct CurlOptions {
  std::int64_t connect_ms_max = 10'000;
  std::string user_agent = "harambee/0.1";
  // When it becomes true, running exchanges end with `cancelled` within a second. May be null.
  const std::atomic<bool>* cancel = nullptr;
};

// http and https only; redirects are answers, not followed. Connections are kept and reused; each
// thread that calls exchange() at the same time gets one of its own. Thread-safe.
class CurlWire : public Wire {
 public:
  explicit CurlWire(CurlOptions options = {});
  ~CurlWire() override;
  [[nodiscard]] Result<WireResponse> exchange(const WireRequest& request) override;
  [[nodiscard]] Traffic traffic() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace harambee::net
