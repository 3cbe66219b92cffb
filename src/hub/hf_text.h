// The small texts of the Hugging Face API: percent-encoding, form fields, names, dates, git's and
// LFS's names of files (spec/huggingface.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/result.h"

namespace harambee::hub {

// "%2F" → "/". None: a broken escape, or a NUL, escaped or not.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
// Everything but unreserved characters (RFC 3986 §2.3) and those in `keep`.
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view keep = "");

// "a=1&b=2&a=3" in order, decoded, '+' is a space; broken pairs are left out.
using FormFields = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] FormFields parse_form(std::string_view text);
[[nodiscard]] std::vector<std::string> values_of(const FormFields& fields, std::string_view name);
// The first one; empty if there is none.
[[nodiscard]] std::string value_of(const FormFields& fields, std::string_view name);

// As clients write it in forms.
[[nodiscard]] bool is_true(std::string_view text);

// ASCII letters in lower case.
[[nodiscard]] std::string lower(std::string text);

// "2026-01-02T03:04:05.678Z"
[[nodiscard]] std::string iso_time(std::int64_t unix_ms);

// SHA-1 of git's blob object of these bytes.
[[nodiscard]] std::string git_blob_oid(View bytes);
// The pointer file that stands in git for a file in LFS.
[[nodiscard]] std::string lfs_pointer(const Digest& sha256, std::uint64_t size);

// "scheme://host" as the client wrote it, for links; checked, so that it can stand in a header.
[[nodiscard]] bool is_host(std::string_view text);

}  // namespace harambee::hub
