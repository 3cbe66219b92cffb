// Blobs come and go in pieces, and only whole and true ones count.
#include "node/hub_blobs.h"

#include <gtest/gtest.h>

#include <fstream>

#include "node/world.h"

namespace harambee::node::testing {
namespace {

class HubBlobsTest : public ::testing::Test {
 protected:
  // A blob that a logged record names, so that the hub takes it.
  BlobRef named(const Bytes& bytes) {
    const BlobRef ref{sha256(bytes), bytes.size(), "application/octet-stream"};
    Payload draft;
    draft.kind = "test-blob";
    draft.blobs = {ref};
    const auto posted = desk_.publisher->post(draft);
    EXPECT_TRUE(posted.ok()) << posted.error().message;
    return ref;
  }
  static Bytes random_bytes(std::size_t size) {
    Rng rng(sha256(view("blob")));
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
    return bytes;
  }

  TestHub hub_;
  TemporaryFolder folder_;
  Desk desk_{hub_, "writer", folder_.path() + "/writer"};
  Desk reader_{hub_, "reader", folder_.path() + "/reader"};
};

TEST_F(HubBlobsTest, GoesUpAndComesDownOnce) {
  const Bytes bytes = random_bytes(100'000);
  const BlobRef ref = named(bytes);
  ASSERT_TRUE(desk_.blobs.put(ref.digest, bytes).ok());
  const Status uploaded = desk_.blobs.upload(ref);
  ASSERT_TRUE(uploaded.ok()) << uploaded.error().message;
  const auto fetched = reader_.blobs.fetch_bytes(ref);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message;
  EXPECT_EQ(*fetched, bytes);
  ASSERT_TRUE(reader_.blobs.fetch(ref).ok());
  EXPECT_EQ(reader_.wire.asked("GET /blobs/"), 1);
  ASSERT_TRUE(desk_.blobs.upload(ref).ok());
  EXPECT_EQ(desk_.wire.asked("PUT /blobs/"), 1);
}

TEST_F(HubBlobsTest, AnInterruptedDownloadGoesOn) {
  const Bytes bytes = random_bytes(50'000);
  const BlobRef ref = named(bytes);
  ASSERT_TRUE(hub_.blobs().put(ref.digest, bytes).ok());
  const std::string part = folder_.path() + "/reader/blobs/" + ref.digest.hex() + ".part";
  std::filesystem::create_directories(folder_.path() + "/reader/blobs");
  std::ofstream(part, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), 20'000);
  std::string range;
  reader_.wire.before = [&range](const WireRequest& request) {
    if (request.headers.contains("range")) range = request.headers.at("range");
    return std::optional<Result<WireResponse>>();
  };
  const auto fetched = reader_.blobs.fetch_bytes(ref);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message;
  EXPECT_EQ(*fetched, bytes);
  EXPECT_EQ(range, "bytes=20000-49999");
}

TEST_F(HubBlobsTest, AnInterruptedUploadGoesOn) {
  const Bytes bytes = random_bytes(50'000);
  const BlobRef ref = named(bytes);
  ASSERT_TRUE(desk_.blobs.put(ref.digest, bytes).ok());
  ASSERT_TRUE(hub_.blobs().upload(ref.digest, 0, 0, View(bytes).first(30'000)).ok());
  std::size_t sent = 0;
  desk_.wire.before = [&sent](const WireRequest& request) {
    if (request.method == "PUT") sent += request.body.size();
    return std::optional<Result<WireResponse>>();
  };
  const Status uploaded = desk_.blobs.upload(ref);
  ASSERT_TRUE(uploaded.ok()) << uploaded.error().message;
  EXPECT_EQ(sent, 20'000u);
  EXPECT_EQ(*hub_.blobs().get(ref.digest), bytes);
}

TEST_F(HubBlobsTest, AStrangersWrongBeginningDoesNotStopAnUpload) {
  const Bytes bytes = random_bytes(50'000);
  const BlobRef ref = named(bytes);
  ASSERT_TRUE(desk_.blobs.put(ref.digest, bytes).ok());
  // The hub offers a wrong beginning to resume from, again and again.
  int whole = 0;
  desk_.wire.before = [&](const WireRequest& request) -> std::optional<Result<WireResponse>> {
    if (request.url.find("/uploads/") != std::string::npos) {
      return WireResponse{200, {{"upload-offset", "30000"}}, {}};
    }
    if (request.headers.contains("content-range")) return WireResponse{422, {}, {}};
    if (request.method == "PUT") ++whole;
    return std::nullopt;
  };
  const Status uploaded = desk_.blobs.upload(ref);
  ASSERT_TRUE(uploaded.ok()) << uploaded.error().message;
  EXPECT_EQ(whole, 1);
  EXPECT_EQ(*hub_.blobs().get(ref.digest), bytes);
}

TEST_F(HubBlobsTest, OtherBytesAreDropped) {
  const Bytes bytes = random_bytes(1000);
  const BlobRef ref = named(bytes);
  reader_.wire.before = [](const WireRequest&) -> std::optional<Result<WireResponse>> {
    return WireResponse{200, {}, Bytes(1000, 7)};
  };
  const auto fetched = reader_.blobs.fetch(ref);
  ASSERT_FALSE(fetched.ok());
  EXPECT_EQ(fetched.error().code, ErrorCode::corrupt);
  EXPECT_FALSE(reader_.blobs.has(ref.digest));
  ASSERT_TRUE(hub_.blobs().put(ref.digest, bytes).ok());
  reader_.wire.before = {};
  EXPECT_TRUE(reader_.blobs.fetch(ref).ok());
}

TEST_F(HubBlobsTest, WhatNobodyHasIsNotFound) {
  const BlobRef ref = named(random_bytes(10));
  EXPECT_EQ(reader_.blobs.fetch(ref).error().code, ErrorCode::not_found);
}

TEST_F(HubBlobsTest, WhatNoRecordNamesIsRefused) {
  const Bytes bytes = random_bytes(10);
  ASSERT_TRUE(desk_.blobs.put(sha256(bytes), bytes).ok());
  ASSERT_TRUE(desk_.follower->follow().ok());
  EXPECT_EQ(desk_.blobs.upload({sha256(bytes), bytes.size(), ""}).error().code, ErrorCode::refused);
}

}  // namespace
}  // namespace harambee::node::testing
