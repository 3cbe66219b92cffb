#include "hub/hf_answers.h"

#include "hub/blob_routes.h"
#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

// Weights of a round are computed in seconds; clients try again after their own timeout, and then
// find them.
constexpr std::int64_t kWeightsMsMax = 300'000;

// What is the same for the whole file and a part of it, HEAD and GET.
struct Served {
  std::string etag;
  std::string commit;
  std::uint64_t size = 0;
  RangeAnswer part;
};

std::string media_type(const std::string& path) {
  const auto ends = [&](std::string_view end) { return path.ends_with(end); };
  if (ends(".json")) return "application/json";
  if (ends(".md") || ends(".txt")) return "text/plain; charset=utf-8";
  return "application/octet-stream";
}

HttpResponse head_of(const Served& served, const HfFile& file) {
  HttpResponse response;
  response.headers = {{"Content-Type", media_type(file.path)},
                      {"Accept-Ranges", "bytes"},
                      {"ETag", "\"" + served.etag + "\""},
                      {"X-Repo-Commit", served.commit},
                      {"X-Linked-Size", std::to_string(served.size)},
                      {"X-Linked-Etag", "\"" + served.etag + "\""},
                      {"Cache-Control", "no-cache"},
                      // Files of strangers are no pages of this hub.
                      {"Content-Security-Policy", "default-src 'none'; sandbox"},
                      {"X-Content-Type-Options", "nosniff"}};
  if (served.part.kind == RangeKind::part) {
    response.status = 206;
    const ByteRange& range = served.part.range;
    response.headers.emplace_back("Content-Range",
                                  "bytes " + std::to_string(range.first) + "-" +
                                      std::to_string(range.first + range.count - 1) + "/" +
                                      std::to_string(served.size));
  }
  return response;
}

HttpResponse from_shelf(const Served& served, const HfFile& file, BlobShelf& shelf) {
  const auto there = shelf.size(file.digest);
  if (!there || *there != file.size) {
    return with_header(hf_error(404, "EntryNotFound",
                                "the log names these bytes, but this hub does not have them yet"),
                       "X-Repo-Commit", served.commit);
  }
  HttpResponse response = head_of(served, file);
  const ByteRange& range = served.part.range;
  if (const auto path = shelf.path(file.digest)) {
    auto open = OpenFile::open(*path);
    if (!open) return hf_error(503, "", open.error().message);
    response.body = FilePart{*std::move(open), range.first, range.count};
    return response;
  }
  auto bytes = shelf.get(file.digest);
  if (!bytes) return hf_error(503, "", bytes.error().message);
  response.body = std::string(text(View(*bytes).subspan(range.first, range.count)));
  return response;
}

HttpResponse weights_error(const std::string& commit, const Error& error) {
  if (error.code == ErrorCode::not_found) {
    return with_header(hf_error(404, "EntryNotFound", error.message), "X-Repo-Commit", commit);
  }
  return hf_not_now(error);
}

// What `ask` gives, now or as soon as weights have been made.
HttpResponse when_made(std::function<std::optional<HttpResponse>()> ask) {
  if (auto now = ask()) return *std::move(now);
  Wait wait;
  wait.ms_max = kWeightsMsMax;
  // An answer may be a wait for the next thing; the server sees one wait.
  auto next = std::make_shared<Wait>();
  wait.again = [ask = std::move(ask), next](bool last) -> std::optional<HttpResponse> {
    if (next->again) return next->again(last);
    auto answer = ask();
    if (answer && std::holds_alternative<Wait>(answer->body)) {
      *next = std::move(std::get<Wait>(answer->body));
      return next->again(last);
    }
    if (answer || !last) return answer;
    return std::optional(
        with_header(hf_error(503, "", "the weights of this round are still being computed"),
                    "Retry-After", "10"));
  };
  HttpResponse response;
  response.body = std::move(wait);
  return response;
}

HttpResponse serve_weights(const Served& served, const HfFile& file, WeightsCache& weights) {
  return when_made([served, file, &weights]() -> std::optional<HttpResponse> {
    const auto made = weights.ask(*file.weights);
    if (!made) return weights_error(served.commit, made.error());
    if (!*made) return std::nullopt;
    return from_shelf(served, file, *(*made)->shelf);
  });
}

}  // namespace

HttpResponse hf_json(int status, const Json& value) {
  return with_header(HttpResponse::json(status, write(value)), "Cache-Control", "no-store");
}

HttpResponse hf_not_now(const Error& error) {
  return with_header(hf_error(503, "", error.message), "Retry-After", "5");
}

HttpResponse with_header(HttpResponse response, std::string name, std::string value) {
  response.headers.emplace_back(std::move(name), std::move(value));
  return response;
}

HttpResponse hf_error(int status, std::string_view code, const std::string& message) {
  HttpResponse response = HttpResponse::error(status, message);
  if (!code.empty()) response.headers.emplace_back("X-Error-Code", code);
  response.headers.emplace_back("X-Error-Message", message);
  return response;
}

std::string endpoint_of(const HttpRequest& request) {
  const std::string* host = request.header("host");
  const std::string* scheme = request.header("x-forwarded-proto");
  const std::string name = host != nullptr && is_host(*host) ? *host : "localhost";
  return (scheme != nullptr && *scheme == "https" ? "https://" : "http://") + name;
}

HttpResponse with_digests(const std::shared_ptr<const HfTree>& tree, WeightsCache& weights,
                          std::function<HttpResponse(const HfTree&)> answer) {
  const HfFile* unnamed = tree->unnamed();
  if (unnamed == nullptr) return answer(*tree);
  return when_made(
      [tree, unnamed, &weights, answer = std::move(answer)]() -> std::optional<HttpResponse> {
        const auto digest = weights.digest(*unnamed->weights);
        if (digest && !*digest) return std::nullopt;
        if (!digest && digest.error().code == ErrorCode::unavailable) {
          return weights_error(tree->commit.oid, digest.error());
        }
        HfTree named = *tree;
        const auto at = named.files.begin() + (unnamed - tree->files.data());
        if (digest) {
          at->digest = **digest;
          at->git_oid = git_blob_oid(view(lfs_pointer(at->digest, at->size)));
        } else {
          named.files.erase(at);
        }
        return answer(named);
      });
}

HttpResponse serve_file(const HttpRequest& request, const HfTree& tree, const HfFile& file,
                        BlobShelf& blobs, WeightsCache& weights) {
  Served served{file.lfs ? file.digest.hex() : file.git_oid,
                tree.commit.oid,
                file.size,
                {RangeKind::whole, {0, file.size}}};
  if (const std::string* range = request.header("range")) {
    served.part = parse_range(*range, file.size);
  }
  if (served.part.kind == RangeKind::unsatisfiable) {
    return with_header(hf_error(416, "", "the file has " + std::to_string(file.size) + " bytes"),
                       "Content-Range", "bytes */" + std::to_string(file.size));
  }
  const ByteRange& range = served.part.range;
  const bool blob = !file.text && !file.weights;
  if (request.method == "HEAD" && !(blob && !blobs.has(file.digest))) {
    // So that they are there when the client comes for them.
    if (file.weights) static_cast<void>(weights.ask(*file.weights).ok());
    HttpResponse response = head_of(served, file);
    response.body = FilePart{nullptr, range.first, range.count};  // its length is all that is sent
    return response;
  }
  if (file.weights) return serve_weights(served, file, weights);
  if (!file.text) return from_shelf(served, file, blobs);
  HttpResponse response = head_of(served, file);
  response.body = file.text->substr(range.first, range.count);
  return response;
}

}  // namespace harambee::hub
