// One contract, many backends: memory and file/SQLite share these tests and no code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "store/file_blobs.h"
#include "store/file_shelf.h"
#include "store/memory_blobs.h"
#include "store/memory_order.h"
#include "store/memory_shelf.h"
#include "store/memory_uploads.h"
#include "store/sqlite_order.h"
#include "store/sqlite_uploads.h"
#include "store/temporary_folder.h"

namespace harambee::store {
namespace {

Digest digest(std::string_view text) { return sha256(view(text)); }

// A backend: opens what it opened before, if it can keep anything.
template <typename T>
struct Backend {
  std::string name;
  bool keeps = false;
  std::function<std::unique_ptr<T>(const std::string& dir)> open;
};
template <typename T>
void PrintTo(const Backend<T>& backend, std::ostream* out) {
  *out << backend.name;
}
constexpr auto backend_name = [](const auto& info) { return info.param.name; };

template <typename T>
class BackendTest : public testing::TestWithParam<Backend<T>> {
 protected:
  std::unique_ptr<T> open() { return this->GetParam().open(folder_.path()); }
  TemporaryFolder folder_;
};

// ---- Order ----

using OrderTest = BackendTest<hub::Order>;

hub::OrderEntry entry(std::string_view name, std::uint64_t seq = 0) {
  return {to_bytes(name), digest(name), digest("author"), seq};
}

hub::OrderBatch batch(const hub::OrderHead& old_head, std::vector<hub::OrderEntry> entries) {
  hub::OrderBatch out;
  out.old_head = old_head;
  out.new_head = {old_head.size + entries.size(), "note " + std::to_string(entries.size()) + "\n"};
  out.entries = std::move(entries);
  return out;
}

TEST_P(OrderTest, BeginsEmpty) {
  auto order = open();
  EXPECT_EQ(order->head()->size, 0u);
  EXPECT_EQ(order->head()->checkpoint, "");
  EXPECT_FALSE(order->index_of(digest("a"))->has_value());
  EXPECT_FALSE(order->author(digest("author"))->has_value());
  EXPECT_FALSE(*order->expects(digest("blob"), 3));
  EXPECT_FALSE(order->run("r")->has_value());
  EXPECT_TRUE(order->runs(10)->empty());
  EXPECT_TRUE(order->staged(0)->empty());
}

TEST_P(OrderTest, RemembersABatchAsAWhole) {
  auto order = open();
  auto first = batch({}, {entry("a", 0), entry("b", 1)});
  hub::AuthorState state{2, digest("b"), {}};
  state.key.bytes.fill(7);
  first.authors = {{digest("author"), state}};
  first.blobs = {{digest("blob"), 3}, {digest("blob"), 3}, {digest("blob"), 4}};
  first.runs = {{"zeta", digest("a"), 0}, {"alpha", digest("b"), 1}};
  ASSERT_TRUE(order->commit(first).ok());
  if (GetParam().keeps) {
    order.reset();
    order = open();
  }
  EXPECT_EQ(order->head()->size, 2u);
  EXPECT_EQ(order->head()->checkpoint, first.new_head.checkpoint);
  EXPECT_EQ(order->index_of(digest("b"))->value(), 1u);
  const auto author = order->author(digest("author"));
  ASSERT_TRUE(author->has_value());
  EXPECT_EQ((*author)->next_seq, 2u);
  EXPECT_EQ((*author)->prev, digest("b"));
  EXPECT_EQ((*author)->key, state.key);
  EXPECT_TRUE(*order->expects(digest("blob"), 3));
  EXPECT_TRUE(*order->expects(digest("blob"), 4));
  EXPECT_FALSE(*order->expects(digest("blob"), 5));
  EXPECT_FALSE(*order->expects(digest("blob"), UINT64_MAX));
  EXPECT_EQ(order->run("alpha")->value(), first.runs[1]);
  EXPECT_EQ(*order->runs(10), first.runs) << "in log order, not by name";
  EXPECT_EQ(order->runs(1)->size(), 1u);
  EXPECT_EQ(*order->staged(0), (std::vector<Bytes>{to_bytes("a"), to_bytes("b")}));
  EXPECT_EQ(*order->staged(1), (std::vector<Bytes>{to_bytes("b")}));
  EXPECT_TRUE(order->staged(2)->empty());
}

TEST_P(OrderTest, RefusesAnotherHeadThanItsOwn) {
  auto order = open();
  ASSERT_TRUE(order->commit(batch({}, {entry("a")})).ok());
  for (const hub::OrderHead& wrong :
       {hub::OrderHead{}, hub::OrderHead{1, "other note\n"}, hub::OrderHead{2, "note 1\n"}}) {
    auto status = order->commit(batch(wrong, {entry("b", 1)}));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::conflict);
  }
  EXPECT_EQ(order->head()->size, 1u);
  EXPECT_FALSE(order->index_of(digest("b"))->has_value());
}

TEST_P(OrderTest, ABatchWithOneBadEntryChangesNothing) {
  auto order = open();
  auto good = batch({}, {entry("a", 0)});
  good.runs = {{"taken", digest("a"), 0}};
  ASSERT_TRUE(order->commit(good).ok());
  const auto head = *order->head();

  const auto same_id = batch(head, {entry("b", 1), entry("a", 2)});
  const auto same_seq = batch(head, {entry("b", 1), entry("c", 0)});
  const auto twice = batch(head, {entry("b", 1), entry("b", 2)});
  auto same_name = batch(head, {entry("b", 1)});
  same_name.runs = {{"taken", digest("b"), 1}};
  for (const auto& bad : {same_id, same_seq, twice, same_name}) {
    auto status = order->commit(bad);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::conflict);
    EXPECT_EQ(order->head()->checkpoint, head.checkpoint);
    EXPECT_FALSE(order->index_of(digest("b"))->has_value());
    EXPECT_EQ(order->staged(0)->size(), 1u);
  }
  EXPECT_TRUE(order->commit(batch(head, {entry("b", 1)})).ok()) << "and goes on";
}

TEST_P(OrderTest, DropsStagedEntriesThatArePublished) {
  auto order = open();
  ASSERT_TRUE(order->commit(batch({}, {entry("a", 0), entry("b", 1)})).ok());
  auto next = batch(*order->head(), {entry("c", 2)});
  next.published = 2;
  ASSERT_TRUE(order->commit(next).ok());
  EXPECT_EQ(*order->staged(2), (std::vector<Bytes>{to_bytes("c")}));
  auto gone = order->staged(1);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, ErrorCode::corrupt);
  EXPECT_TRUE(order->index_of(digest("a"))->has_value()) << "still known";
}

TEST_P(OrderTest, TextAndBytesComeBackAsTheyWere) {
  auto order = open();
  auto odd = batch({}, {{Bytes{}, digest("x"), digest("author"), 0}});
  odd.new_head.checkpoint = std::string("a\0b — ü\n", 10);
  ASSERT_TRUE(order->commit(odd).ok());
  EXPECT_EQ(order->head()->checkpoint, odd.new_head.checkpoint);
  EXPECT_EQ(order->staged(0)->at(0), Bytes{});
}

INSTANTIATE_TEST_SUITE_P(
    Backends, OrderTest,
    testing::Values(Backend<hub::Order>{"memory", false,
                                        [](const std::string&) { return make_memory_order(); }},
                    Backend<hub::Order>{"sqlite", true,
                                        [](const std::string& dir) {
                                          return *open_sqlite_order(dir + "/hub.db");
                                        }}),
    backend_name);

// ---- UploadLedger ----

using UploadsTest = BackendTest<hub::UploadLedger>;

std::vector<hub::NotedUpload> some_uploads() {
  std::vector<hub::NotedUpload> all = {{digest("alice"), digest("a"), 5, 1'000},
                                       {digest("bob"), digest("a"), 5, 2'000},
                                       {digest("bob"), digest("b"), std::uint64_t{1} << 40, 3'000}};
  std::ranges::sort(all, {}, [](const auto& one) { return std::pair(one.digest, one.owner); });
  return all;
}

TEST_P(UploadsTest, RemembersReplacesAndForgets) {
  auto uploads = open();
  EXPECT_TRUE(uploads->all()->empty());
  ASSERT_TRUE(uploads->note({}).ok());
  auto wanted = some_uploads();
  ASSERT_TRUE(uploads->note(wanted).ok());
  if (GetParam().keeps) uploads = open();
  EXPECT_EQ(*uploads->all(), wanted);
  wanted[1].unix_ms = 9'000;
  ASSERT_TRUE(uploads->note({&wanted[1], 1}).ok());
  if (GetParam().keeps) uploads = open();
  EXPECT_EQ(*uploads->all(), wanted);
  const std::vector<std::pair<KeyId, Digest>> gone = {{wanted[0].owner, wanted[0].digest},
                                                      {digest("nobody"), digest("a")}};
  ASSERT_TRUE(uploads->forget(gone).ok());
  if (GetParam().keeps) uploads = open();
  wanted.erase(wanted.begin());
  EXPECT_EQ(*uploads->all(), wanted);
}

INSTANTIATE_TEST_SUITE_P(Backends, UploadsTest,
                         testing::Values(Backend<hub::UploadLedger>{"memory", false,
                                                                    [](const std::string&) {
                                                                      return make_memory_uploads();
                                                                    }},
                                         Backend<hub::UploadLedger>{"sqlite", true,
                                                                    [](const std::string& dir) {
                                                                      return *open_sqlite_uploads(
                                                                          dir + "/uploads.db");
                                                                    }}),
                         backend_name);

// ---- Shelf ----

using ShelfTest = BackendTest<hub::Shelf>;

TEST_P(ShelfTest, ReplacesAndReads) {
  auto shelf = open();
  EXPECT_EQ(shelf->read("a/b").error().code, ErrorCode::not_found);
  ASSERT_TRUE(shelf->replace("a/b", view("one")).ok());
  ASSERT_TRUE(shelf->replace("a/b", view("two")).ok());
  ASSERT_TRUE(shelf->replace("empty", {}).ok());
  if (GetParam().keeps) shelf = open();
  EXPECT_EQ(*shelf->read("a/b"), to_bytes("two"));
  EXPECT_EQ(*shelf->read("empty"), Bytes{});
}

TEST_P(ShelfTest, WhatIsCreatedNeverChanges) {
  auto shelf = open();
  ASSERT_TRUE(shelf->create("tile/0/000", view("one")).ok());
  EXPECT_TRUE(shelf->create("tile/0/000", view("one")).ok()) << "the same again is fine";
  for (const char* other : {"two", "on", "one!", ""}) {
    auto status = shelf->create("tile/0/000", view(other));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::corrupt);
  }
  EXPECT_EQ(*shelf->read("tile/0/000"), to_bytes("one"));
}

TEST_P(ShelfTest, RemovesAFolder) {
  auto shelf = open();
  ASSERT_TRUE(shelf->create("t/000.p/1", view("x")).ok());
  ASSERT_TRUE(shelf->create("t/000.p/2", view("y")).ok());
  ASSERT_TRUE(shelf->create("t/000", view("z")).ok());
  EXPECT_TRUE(shelf->remove_folder("t/000.p").ok());
  EXPECT_TRUE(shelf->remove_folder("t/000.p").ok()) << "fine when it is not there";
  EXPECT_EQ(shelf->read("t/000.p/1").error().code, ErrorCode::not_found);
  EXPECT_EQ(*shelf->read("t/000"), to_bytes("z"));
}

TEST_P(ShelfTest, KnowsItsSpace) { EXPECT_GT(*open()->free_bytes(), 0u); }

INSTANTIATE_TEST_SUITE_P(
    Backends, ShelfTest,
    testing::Values(Backend<hub::Shelf>{"memory", false,
                                        [](const std::string&) { return make_memory_shelf(); }},
                    Backend<hub::Shelf>{
                        "file", true,
                        [](const std::string& dir) { return *open_file_shelf(dir + "/shelf"); }}),
    backend_name);

// ---- Blobs ----

using BlobsTest = BackendTest<hub::BlobShelf>;

TEST_P(BlobsTest, GivesBackWhatWasPut) {
  auto blobs = open();
  const Digest name = digest("hello");
  EXPECT_FALSE(blobs->has(name));
  EXPECT_EQ(blobs->get(name).error().code, ErrorCode::not_found);
  ASSERT_TRUE(blobs->put(name, view("hello")).ok());
  EXPECT_TRUE(blobs->put(name, view("hello")).ok()) << "putting what is there is fine";
  if (GetParam().keeps) blobs = open();
  EXPECT_TRUE(blobs->has(name));
  EXPECT_EQ(*blobs->get(name), to_bytes("hello"));
  EXPECT_EQ(blobs->size(name).value(), 5u);
}

TEST_P(BlobsTest, RefusesBytesOfAnotherDigest) {
  auto blobs = open();
  EXPECT_EQ(blobs->put(digest("a"), view("b")).error().code, ErrorCode::invalid);
  EXPECT_FALSE(blobs->has(digest("a")));
}

TEST_P(BlobsTest, TakesTheEmptyBlob) {
  auto blobs = open();
  ASSERT_TRUE(blobs->put(digest(""), {}).ok());
  EXPECT_EQ(blobs->get(digest(""))->size(), 0u);
  auto again = open();
  ASSERT_TRUE(blobs->finish_upload(digest(""), 0, 0).ok());
}

TEST_P(BlobsTest, UploadsInPieces) {
  auto blobs = open();
  const Digest name = digest("hello world");
  ASSERT_TRUE(blobs->upload(name, 0, 0, view("hello")).ok());
  if (GetParam().keeps) blobs = open();
  EXPECT_EQ(blobs->upload_offset(name), 5u);
  EXPECT_FALSE(blobs->has(name)) << "not visible before it is whole";
  EXPECT_EQ(blobs->upload(name, 0, 4, view("x")).error().code, ErrorCode::conflict);
  EXPECT_EQ(blobs->upload(name, 0, 6, view("x")).error().code, ErrorCode::conflict);
  ASSERT_TRUE(blobs->upload(name, 0, 5, view(" world")).ok());
  ASSERT_TRUE(blobs->finish_upload(name, 0, 11).ok());
  EXPECT_EQ(*blobs->get(name), to_bytes("hello world"));
  EXPECT_EQ(blobs->upload_offset(name), 0u);
}

TEST_P(BlobsTest, StartsAnUploadAfresh) {
  auto blobs = open();
  const Digest name = digest("new");
  ASSERT_TRUE(blobs->upload(name, 0, 0, view("old and long")).ok());
  ASSERT_TRUE(blobs->upload(name, 0, 0, view("new")).ok());
  EXPECT_TRUE(blobs->finish_upload(name, 0, 3).ok());
}

TEST_P(BlobsTest, LanesDoNotDisturbEachOther) {
  auto blobs = open();
  const Digest name = digest("good");
  ASSERT_TRUE(blobs->upload(name, 0, 0, view("ev")).ok());
  ASSERT_TRUE(blobs->upload(name, 1, 0, view("go")).ok());
  ASSERT_TRUE(blobs->upload(name, 0, 2, view("il")).ok());
  ASSERT_TRUE(blobs->upload(name, 1, 2, view("od")).ok());
  ASSERT_TRUE(blobs->upload(name, 2, 0, view("gone")).ok());
  blobs->drop_upload(name, 2);
  EXPECT_EQ(blobs->finish_upload(name, 0, 4).error().code, ErrorCode::invalid);
  EXPECT_TRUE(blobs->finish_upload(name, 1, 4).ok());
  EXPECT_EQ(*blobs->get(name), to_bytes("good"));
  EXPECT_EQ(blobs->finish_upload(name, 2, 4).error().code, ErrorCode::invalid);
  EXPECT_TRUE(blobs->has(name));
}

TEST_P(BlobsTest, ForgetsABlob) {
  auto blobs = open();
  const Digest name = digest("good");
  ASSERT_TRUE(blobs->put(name, view("good")).ok());
  EXPECT_TRUE(blobs->remove(name).ok());
  EXPECT_FALSE(blobs->has(name));
  EXPECT_EQ(blobs->get(name).error().code, ErrorCode::not_found);
  EXPECT_TRUE(blobs->remove(name).ok());
  ASSERT_TRUE(blobs->put(name, view("good")).ok());
  EXPECT_TRUE(blobs->has(name));
}

TEST_P(BlobsTest, ThrowsAWrongUploadAway) {
  auto blobs = open();
  const Digest name = digest("good");
  ASSERT_TRUE(blobs->upload(name, 0, 0, view("evil")).ok());
  EXPECT_EQ(blobs->finish_upload(name, 0, 4).error().code, ErrorCode::invalid);
  EXPECT_FALSE(blobs->has(name));
  EXPECT_EQ(blobs->upload_offset(name), 0u);
  ASSERT_TRUE(blobs->upload(name, 0, 0, view("good")).ok());
  EXPECT_EQ(blobs->finish_upload(name, 0, 5).error().code, ErrorCode::invalid) << "another size";
  ASSERT_TRUE(blobs->upload(name, 0, 0, view("good")).ok());
  EXPECT_TRUE(blobs->finish_upload(name, 0, 4).ok());
}

INSTANTIATE_TEST_SUITE_P(Backends, BlobsTest,
                         testing::Values(Backend<hub::BlobShelf>{"memory", false,
                                                                 [](const std::string&) {
                                                                   return make_memory_blobs();
                                                                 }},
                                         Backend<hub::BlobShelf>{"file", true,
                                                                 [](const std::string& dir) {
                                                                   return *open_file_blobs(dir);
                                                                 }}),
                         backend_name);

}  // namespace
}  // namespace harambee::store
