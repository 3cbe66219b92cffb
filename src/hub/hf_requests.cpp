#include "hub/hf_requests.h"

#include "base/encoding.h"
#include "hub/hf_text.h"
#include "hub/wild_json.h"

namespace harambee::hub {
namespace {

constexpr int kDepthMax = 32;
constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 40;

// The member's text; none if it is missing, null, or of another type.
std::optional<std::string> text_of(const Wild& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto member = object.find(key);
  if (member == object.end() || !member->is_string()) return std::nullopt;
  return member->get<std::string>();
}

std::optional<std::uint64_t> size_of(const Wild& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto member = object.find(key);
  if (member == object.end() || !member->is_number_integer()) return std::nullopt;
  const auto value = member->get<std::int64_t>();
  if (value < 0 || static_cast<std::uint64_t>(value) > kSizeMax) return std::nullopt;
  return static_cast<std::uint64_t>(value);
}

const Wild* list_of(const Wild& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto member = object.find(key);
  return member == object.end() || !member->is_array() ? nullptr : &*member;
}

Result<HfOperation> put_file(const Wild& value, const std::string& path) {
  const auto encoding = text_of(value, "encoding");
  auto content = text_of(value, "content");
  if (!content) return invalid(path + ": \"content\" is missing");
  if (encoding == "utf-8") return HfOperation(HfPutFile{path, to_bytes(*content)});
  if (encoding && *encoding != "base64") return invalid(path + ": an unknown encoding");
  auto bytes = from_base64(*content);
  if (!bytes) return wrap(bytes.error(), path);
  return HfOperation(HfPutFile{path, *std::move(bytes)});
}

Result<HfOperation> put_large(const Wild& value, const std::string& path) {
  const auto algorithm = text_of(value, "algo");
  if (algorithm && *algorithm != "sha256") return invalid(path + ": \"algo\" must be sha256");
  const auto digest = Digest::from_hex(text_of(value, "oid").value_or(""));
  if (!digest) return invalid(path + ": \"oid\" is no SHA-256");
  return HfOperation(HfPutLarge{path, *digest, size_of(value, "size")});
}

Result<HfOperation> operation(const std::string& key, const Wild& value) {
  const auto path = text_of(value, "path");
  if (!path) return invalid(key + ": \"path\" is missing");
  if (key == "file") return put_file(value, *path);
  if (key == "lfsFile") return put_large(value, *path);
  if (key == "deletedFile") return HfOperation(HfDelete{*path, false});
  if (key == "deletedFolder" || key == "deletedEntry") return HfOperation(HfDelete{*path, true});
  return invalid("this hub knows no \"" + key + "\" in a commit");
}

// One line of a commit.
Status take_line(View line, HfCommitRequest& commit) {
  const Wild json = parse_wild(line, kDepthMax);
  const auto key = text_of(json, "key");
  if (!key || !json.contains("value")) return invalid("a line is no {\"key\",\"value\"}");
  const Wild& value = json["value"];
  if (*key == "header") {
    commit.summary = text_of(value, "summary").value_or("");
    commit.description = text_of(value, "description").value_or("");
    commit.parent = text_of(value, "parentCommit").value_or("");
    return ok();
  }
  if (commit.operations.size() >= kHfOperationsMax) {
    return fail(ErrorCode::limit, "too many operations in one commit");
  }
  auto done = operation(*key, value);
  if (!done) return done.error();
  commit.operations.push_back(*std::move(done));
  return ok();
}

}  // namespace

Result<HfPaths> parse_paths(View body) {
  std::size_t first = 0;
  while (first < body.size() && (body[first] == ' ' || body[first] == '\n')) ++first;
  if (first == body.size() || body[first] != '{') {
    const FormFields fields = parse_form(text(body));
    return HfPaths{values_of(fields, "paths"), is_true(value_of(fields, "expand"))};
  }
  const Wild json = parse_wild(body, kDepthMax);
  HfPaths out;
  out.expand = json.contains("expand") && json["expand"] == true;
  if (const auto one = text_of(json, "paths")) {
    out.paths.push_back(*one);
    return out;
  }
  const Wild* paths = list_of(json, "paths");
  if (paths == nullptr) return invalid("\"paths\" is missing");
  for (const Wild& path : *paths) {
    if (!path.is_string()) return invalid("\"paths\" is no list of strings");
    out.paths.push_back(path.get<std::string>());
  }
  return out;
}

Result<HfCreate> parse_create(View body) {
  const Wild json = parse_wild(body, kDepthMax);
  HfCreate create;
  const auto name = text_of(json, "name");
  if (!name) return invalid("\"name\" is missing");
  create.name = *name;
  create.organization = text_of(json, "organization").value_or("");
  create.type = text_of(json, "type").value_or("");
  create.wants_private = text_of(json, "visibility") == "private" ||
                         (json.contains("private") && json["private"] == true);
  return create;
}

Result<HfRef> parse_ref(View body) {
  if (body.empty()) return HfRef();
  const Wild json = parse_wild(body, kDepthMax);
  if (!json.is_object()) return invalid("no JSON object");
  return HfRef{text_of(json, "startingPoint").value_or(""), text_of(json, "tag").value_or("")};
}

Result<HfSettings> parse_settings(View body) {
  const Wild json = parse_wild(body, kDepthMax);
  if (!json.is_object()) return invalid("no JSON object");
  const auto says = [&](const char* key) { return json.contains(key) ? json[key] : Wild(false); };
  const auto visibility = text_of(json, "visibility");
  return HfSettings{(visibility && *visibility != "public") || says("private") == true ||
                    says("gated") == true || says("gated").is_string()};
}

Result<std::vector<HfPreuploadFile>> parse_preupload(View body) {
  const Wild json = parse_wild(body, kDepthMax);
  const Wild* files = list_of(json, "files");
  if (files == nullptr) return invalid("\"files\" is missing");
  if (files->size() > kHfFilesAtOnceMax) return fail(ErrorCode::limit, "too many files at once");
  std::vector<HfPreuploadFile> out;
  for (const Wild& file : *files) {
    const auto path = text_of(file, "path");
    const auto size = size_of(file, "size");
    if (!path || !size) return invalid("a file needs \"path\" and \"size\"");
    out.push_back({*path, *size});
  }
  return out;
}

Result<HfLfsBatch> parse_lfs_batch(View body) {
  const Wild json = parse_wild(body, kDepthMax);
  HfLfsBatch batch;
  batch.operation = text_of(json, "operation").value_or("");
  const Wild* objects = list_of(json, "objects");
  if (objects == nullptr) return invalid("\"objects\" is missing");
  if (objects->size() > kHfFilesAtOnceMax) return fail(ErrorCode::limit, "too many files at once");
  if (const Wild* transfers = list_of(json, "transfers")) {
    batch.multipart =
        std::find(transfers->begin(), transfers->end(), "multipart") != transfers->end();
  }
  const auto algorithm = text_of(json, "hash_algo");
  if (algorithm && *algorithm != "sha256") return invalid("\"hash_algo\" must be sha256");
  for (const Wild& object : *objects) {
    const auto digest = Digest::from_hex(text_of(object, "oid").value_or(""));
    const auto size = size_of(object, "size");
    if (!digest || !size) return invalid("an object needs a SHA-256 \"oid\" and a \"size\"");
    batch.objects.push_back({*digest, *size});
  }
  return batch;
}

Result<HfCommitRequest> parse_commit(View body) {
  HfCommitRequest commit;
  while (!body.empty()) {
    const auto end = std::find(body.begin(), body.end(), '\n');
    const View line = body.first(static_cast<std::size_t>(end - body.begin()));
    body = body.subspan(line.size() + (end == body.end() ? 0 : 1));
    if (line.empty()) continue;
    if (auto taken = take_line(line, commit); !taken) return taken.error();
  }
  return commit;
}

}  // namespace harambee::hub
