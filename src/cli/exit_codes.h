// What the program's exit status says. Numbers are never reused (docs/reference-exit-codes.md).
#pragma once

#include "base/result.h"

namespace harambee::cli {

enum Exit : int {
  kOk = 0,
  kBug = 1,            // an unexpected failure of the program itself
  kUsage = 2,          // unknown verb, option, or value of an option
  kBadInput = 3,       // a file, URL, recipe or answer that breaks a rule
  kNotFound = 4,       // hub down, no such run, no such blob
  kVerifyFailed = 5,   // the log, a blob or the weights are not what they claim
  kConflict = 6,       // port in use, directory locked, name taken
  kDisk = 7,           // the operating system refused a file, or the disk is full
  kTrainerFailed = 8,  // the trainer program crashed, hung, or wrote nonsense
  kRefused = 9,        // a rule of the run or hub says no: excluded, not the maintainer, …
  kLimit = 10,         // a declared limit was reached
  kInterrupted = 130,  // the person stopped it; nothing is lost
};

// How a library's refusal becomes an exit status.
[[nodiscard]] constexpr Exit exit_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid:
      return kBadInput;
    case ErrorCode::not_found:
    case ErrorCode::unavailable:
      return kNotFound;
    case ErrorCode::conflict:
      return kConflict;
    case ErrorCode::limit:
      return kLimit;
    case ErrorCode::io:
      return kDisk;
    case ErrorCode::corrupt:
      return kVerifyFailed;
    case ErrorCode::refused:
      return kRefused;
    case ErrorCode::cancelled:
      return kInterrupted;
  }
  return kBug;
}

}  // namespace harambee::cli
