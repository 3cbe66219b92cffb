#include "hub/hf_target.h"

#include "hub/hf_text.h"

namespace harambee::hub {
namespace {

constexpr std::size_t kPartsMax = 64;

// The decoded parts between slashes; none if one cannot be decoded or there are too many.
std::optional<std::vector<std::string>> split(std::string_view path) {
  std::vector<std::string> parts;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (true) {
    const auto slash = path.find('/');
    auto part = percent_decode(path.substr(0, slash));
    if (!part || parts.size() >= kPartsMax) return std::nullopt;
    parts.push_back(*std::move(part));
    if (slash == path.npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

std::vector<std::string> from(const std::vector<std::string>& parts, std::size_t first) {
  return {parts.begin() + static_cast<std::ptrdiff_t>(std::min(first, parts.size())), parts.end()};
}

HfTarget api_target(const std::vector<std::string>& parts) {
  HfTarget target;
  const std::string& first = parts[1];
  if (first == "models" || first == "datasets") {
    target.name.type = first == "models" ? HfType::model : HfType::dataset;
    if (parts.size() == 2) {
      target.kind = HfTarget::Kind::list;
    } else if (parts.size() >= 4) {
      target.kind = HfTarget::Kind::repo;
      target.name.space = parts[2];
      target.name.name = parts[3];
      if (parts.size() > 4) target.verb = parts[4];
      target.rest = from(parts, 5);
    } else {
      // One name without a namespace: a repository that nobody can have here.
      target.kind = HfTarget::Kind::repo;
      target.name.name = parts[2];
    }
    return target;
  }
  if (first == "whoami-v2" || first == "repos" || first == "validate-yaml" ||
      first == "lfs-upload") {
    target.kind = HfTarget::Kind::account;
    target.verb = joined(parts, 1);
  }
  return target;
}

std::optional<HfTarget> repo_target(const std::vector<std::string>& all) {
  HfTarget target;
  const bool dataset = all[0] == "datasets";
  const std::vector<std::string> parts = from(all, dataset ? 1 : 0);
  target.name.type = dataset ? HfType::dataset : HfType::model;
  if (parts.size() < 4) return std::nullopt;
  if (all[0] == "v2" && all.size() == 5 && all[3] == "manifests") {
    target.kind = HfTarget::Kind::gguf;
    target.name = {HfType::model, all[1], all[2]};
    target.rest = from(all, 4);
    return target;
  }
  target.name.space = parts[0];
  target.name.name = parts[1];
  if (parts[2] == "resolve" || parts[2] == "raw") {
    target.kind = HfTarget::Kind::file;
    target.verb = parts[2];
    target.rest = from(parts, 3);
    return target;
  }
  constexpr std::string_view git = ".git";
  if (joined(parts, 2) != "info/lfs/objects/batch" || !parts[1].ends_with(git)) return std::nullopt;
  target.kind = HfTarget::Kind::lfs;
  target.name.name.resize(target.name.name.size() - git.size());
  return target;
}

}  // namespace

std::optional<HfTarget> parse_hf_target(std::string_view path) {
  const auto parts = split(path);
  if (!parts || parts->size() < 2) return std::nullopt;
  if ((*parts)[0] != "api") return repo_target(*parts);
  HfTarget target = api_target(*parts);
  if (target.kind == HfTarget::Kind::unknown && (*parts)[1] != "spaces") return std::nullopt;
  return target;
}

std::string joined(const std::vector<std::string>& parts, std::size_t first) {
  std::string out;
  for (std::size_t i = first; i < parts.size(); ++i) {
    if (i > first) out += '/';
    out += parts[i];
  }
  return out;
}

}  // namespace harambee::hub
