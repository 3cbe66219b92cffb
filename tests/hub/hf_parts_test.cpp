// Large files that come in parts, each to an address of its own.
#include "hub/hf_author.h"

namespace harambee::hub {
namespace {

class HfPartsTest : public HfAuthor {
 protected:
  void SetUp() override {
    HfAuthor::SetUp();
    options.hugging_face.uploads.part_bytes_min = 4;
    options.hugging_face.uploads.parts_max = 3;
    make_the_hub();
    create();
  }
  std::vector<std::string> links(const json& object) {
    std::vector<std::string> out;
    for (const auto& [name, href] : object.at("actions").at("upload").at("header").items()) {
      if (name == "chunk_size") continue;
      EXPECT_EQ(name, "0000" + std::to_string(out.size() + 1));
      out.push_back(href.get<std::string>().substr(std::string("http://hub.test:8080").size()));
    }
    return out;
  }
  HttpResponse put(const std::string& target, std::string_view bytes) {
    return ask(request("PUT", target, bytes));
  }
};

TEST_F(HfPartsTest, TakesALargeFileInParts) {
  const std::string large = "0123456789";
  const json object = batch(large, "alice/bert", "multipart");
  EXPECT_EQ(object.at("actions").at("upload").at("header").at("chunk_size"), "4");
  const auto parts = links(object);
  ASSERT_EQ(parts.size(), 3u);
  const std::string whole = upload_of(object);
  EXPECT_EQ(put(parts[1], "4567").status, 503);  // too early
  const auto first = put(parts[0], "0123");
  EXPECT_EQ(first.status, 202);
  EXPECT_NE(header(first, "ETag"), "");
  EXPECT_EQ(post(whole, "{}").status, 422);
  EXPECT_EQ(put(parts[0], "0123").status, 200);  // again: its answer was lost
  EXPECT_EQ(put(parts[1], "456").status, 400);
  EXPECT_EQ(put(parts[1], "4567").status, 202);
  const auto last = put(parts[2], "89");
  EXPECT_EQ(last.status, 201);
  EXPECT_NE(header(last, "ETag"), "");
  EXPECT_EQ(put(parts[1], "4567").status, 200);
  EXPECT_EQ(post(whole, "{\"oid\":\"\",\"parts\":[]}").status, 200);
  EXPECT_EQ(post(whole + "0", "{}").status, 403);
  EXPECT_EQ(commit(header_line("Large") + large_line("w", large)).status, 200);
  EXPECT_EQ(body(get("/alice/bert/resolve/main/w")), large);
}

TEST_F(HfPartsTest, GoesOnWhereASenderWentAway) {
  const std::string large = "0123456789";
  const auto parts = links(batch(large, "alice/bert", "multipart"));
  EXPECT_EQ(put(parts[0], "0123").status, 202);
  {
    // Two bytes of four have come.
    BodyPlan plan = hub->plan(request("PUT", parts[1], "4567"));
    ASSERT_TRUE(plan.sink);
    EXPECT_TRUE(plan.sink->write(view("45")).ok());
    EXPECT_EQ(put(parts[1], "4567").status, 503);  // nobody else meanwhile
  }
  EXPECT_EQ(put(parts[1], "4567").status, 202);
  EXPECT_EQ(put(parts[2], "89").status, 201);
}

TEST_F(HfPartsTest, OtherBytesAreRefusedAtTheEnd) {
  const auto parts = links(batch("0123456789", "alice/bert", "multipart"));
  EXPECT_EQ(put(parts[0], "0123").status, 202);
  EXPECT_EQ(put(parts[1], "xxxx").status, 202);
  EXPECT_EQ(put(parts[2], "89").status, 422);
  // From the beginning, then.
  EXPECT_EQ(put(parts[0], "0123").status, 202);
}

TEST_F(HfPartsTest, PartsGrowWithTheFile) {
  const std::string large(100, 'x');
  const json object = batch(large, "alice/bert", "multipart");
  EXPECT_EQ(object.at("actions").at("upload").at("header").at("chunk_size"), "34");
  EXPECT_EQ(links(object).size(), 3u);
  const std::string path = links(object)[0].substr(0, links(object)[0].find("&first"));
  for (const char* odd : {"&first=90&count=11", "&first=101&count=1", "&first=0&count=0",
                          "&first=x&count=1", "&first=0"}) {
    EXPECT_EQ(put(path + odd, "12345678901").status, 400) << odd;
  }
}

}  // namespace
}  // namespace harambee::hub
