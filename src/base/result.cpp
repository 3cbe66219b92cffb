#include "base/result.h"

namespace harambee {

const char* name(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return "invalid";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::conflict:
      return "conflict";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::io:
      return "io";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::cancelled:
      return "cancelled";
  }
  HARAMBEE_CHECK(!"an error code without a name");
}

Error wrap(const Error& error, const std::string& context) {
  return {error.code, context + ": " + error.message};
}

}  // namespace harambee
