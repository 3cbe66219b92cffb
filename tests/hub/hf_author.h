// Somebody with a token who sends what huggingface_hub 1.23 sends.
#pragma once

#include <string>
#include <vector>

#include "base/encoding.h"
#include "hub/hf_json.h"
#include "hub/hf_text.h"
#include "hub/hf_token.h"
#include "hub/hf_world.h"

namespace harambee::hub {

using nlohmann::json;

class HfAuthor : public HfWorld {
 protected:
  void SetUp() override {
    HfWorld::SetUp();
    EXPECT_EQ(ask(request("POST", "/records", text(alice.introduce()))).status, 200);
    grant(alice, token, "alice");
  }
  void grant(Person& owner, const std::string& text, const std::string& space) {
    log_record(owner, filled(owner, fold::write(fold::GrantToken{token_key(text)->public_key(),
                                                                 "laptop", space})));
  }
  Headers with_token(const std::string& text) { return {{"authorization", "Bearer " + text}}; }
  HttpResponse send(const std::string& target, const json& body) {
    return post(target, body.dump(), with_token(token));
  }
  void create(const std::string& name = "bert") {
    EXPECT_EQ(send("/api/repos/create", {{"name", name}, {"organization", nullptr}}).status, 200);
  }
  HttpResponse commit(const std::string& lines, const std::string& id = "alice/bert",
                      const std::string& branch = "main") {
    return post("/api/models/" + id + "/commit/" + branch, lines, with_token(token));
  }
  HttpResponse remove(const std::string& target, const json& body = json::object()) {
    return ask(request("DELETE", target, body.dump(), with_token(token)));
  }
  std::vector<std::string> names(const std::string& kind) {
    std::vector<std::string> out;
    const json refs = get_json("/api/models/alice/bert/refs");
    for (const json& ref : refs.at(kind)) out.push_back(ref.at("name"));
    return out;
  }
  static std::string header_line(const std::string& summary, const std::string& parent = "") {
    json value = {{"summary", summary}, {"description", ""}};
    if (!parent.empty()) value["parentCommit"] = parent;
    return json{{"key", "header"}, {"value", value}}.dump() + "\n";
  }
  static std::string file_line(const std::string& path, std::string_view content) {
    return json{{"key", "file"},
                {"value",
                 {{"content", base64(view(content))}, {"path", path}, {"encoding", "base64"}}}}
               .dump() +
           "\n";
  }
  static std::string large_line(const std::string& path, std::string_view content) {
    return json{{"key", "lfsFile"},
                {"value",
                 {{"path", path},
                  {"algo", "sha256"},
                  {"oid", sha256(view(content)).hex()},
                  {"size", content.size()}}}}
               .dump() +
           "\n";
  }
  json batch(std::string_view content, const std::string& id = "alice/bert",
             const std::string& transfer = "basic") {
    const auto answer =
        send("/" + id + ".git/info/lfs/objects/batch",
             {{"operation", "upload"},
              {"transfers", {"basic", "multipart", "xet"}},
              {"objects", {{{"oid", sha256(view(content)).hex()}, {"size", content.size()}}}},
              {"hash_algo", "sha256"}});
    EXPECT_EQ(answer.status, 200) << body(answer);
    const json all = json::parse(body(answer));
    EXPECT_EQ(all.at("transfer"), transfer);
    return all.at("objects").at(0);
  }
  // The path and query of an upload's address.
  static std::string upload_of(const json& object) {
    const std::string href = object.at("actions").at("upload").at("href");
    constexpr std::string_view host = "http://hub.test:8080";
    EXPECT_TRUE(href.starts_with(host));
    return href.substr(host.size());
  }
  std::string head() { return get_json("/api/models/alice/bert").at("sha"); }

  Person alice{7};
  std::string token = "hrb_" + std::string(64, '1');
};

}  // namespace harambee::hub
