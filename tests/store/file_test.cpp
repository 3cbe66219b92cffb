#include "store/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "store/file_blobs.h"
#include "store/file_shelf.h"
#include "store/sqlite_order.h"
#include "store/temporary_folder.h"

namespace harambee::store {
namespace {

void overwrite(const std::string& path, std::string_view bytes) {
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(File, WritesWholeFilesAndLeavesNothingBehind) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/deep/er/file";
  ASSERT_TRUE(write_file_atomic(path, view("one")).ok());
  ASSERT_TRUE(write_file_atomic(path, view("two"), 0600).ok());
  EXPECT_EQ(*read_file(path, 3), to_bytes("two"));
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 1);
}

TEST(File, SaysWhyItCouldNotRead) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  EXPECT_EQ(read_file(path, 10).error().code, ErrorCode::not_found);
  EXPECT_EQ(read_file(folder.path(), 10).error().code, ErrorCode::io);
  ASSERT_TRUE(write_file_atomic(path, view("hello")).ok());
  const auto large = read_file(path, 4);
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().code, ErrorCode::limit);
  EXPECT_NE(large.error().message.find("5 bytes"), std::string::npos);
}

TEST(File, AFailedWriteLeavesTheOldFile) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  ASSERT_TRUE(write_file_atomic(path, view("old")).ok());
  // A folder of the target's name cannot be replaced by a file.
  std::filesystem::create_directories(folder.path() + "/taken/inside");
  EXPECT_FALSE(write_file_atomic(folder.path() + "/taken", view("new")).ok());
  EXPECT_FALSE(write_file_atomic(path + "/below-a-file", view("new")).ok());
  EXPECT_EQ(*read_file(path, 10), to_bytes("old"));
}

TEST(File, MapsAFile) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/file";
  ASSERT_TRUE(write_file_atomic(path, view("mapped")).ok());
  auto map = MappedFile::open(path);
  ASSERT_TRUE(map.ok());
  MappedFile moved = *std::move(map);
  std::filesystem::remove(path);
  EXPECT_EQ(text(moved.bytes()), "mapped") << "stays when the file goes";
  ASSERT_TRUE(write_file_atomic(path, {}).ok());
  EXPECT_TRUE(MappedFile::open(path)->bytes().empty());
  EXPECT_EQ(MappedFile::open(path + "x").error().code, ErrorCode::not_found);
}

TEST(File, OneHolderOfALock) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/lock";
  {
    auto lock = FileLock::take(path);
    ASSERT_TRUE(lock.ok());
    auto second = FileLock::take(path);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, ErrorCode::conflict);
  }
  EXPECT_TRUE(FileLock::take(path).ok());
}

TEST(FileBlobs, NoticesThatABlobChangedOnDisk) {
  TemporaryFolder folder;
  auto blobs = *open_file_blobs(folder.path());
  const Digest name = sha256(view("truth"));
  ASSERT_TRUE(blobs->put(name, view("truth")).ok());
  const std::string path = folder.path() + "/blobs/" + name.hex().substr(0, 2) + "/" + name.hex();
  EXPECT_EQ(blobs->path(name).value(), path);
  overwrite(path, "trutH");
  const auto read = blobs->get(name);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().code, ErrorCode::corrupt);
}

TEST(SqliteOrder, RefusesADatabaseOfAnotherKind) {
  TemporaryFolder folder;
  const std::string path = folder.path() + "/hub.db";
  ASSERT_TRUE(write_file_atomic(path, view(std::string(4096, 'x'))).ok());
  EXPECT_FALSE(open_sqlite_order(path).ok());
  EXPECT_FALSE(open_sqlite_order(folder.path() + "/no/such/folder/hub.db").ok());
}

TEST(SqliteOrder, TwoProgramsCannotBothMoveTheHead) {
  TemporaryFolder folder;
  auto one = *open_sqlite_order(folder.path() + "/hub.db");
  auto two = *open_sqlite_order(folder.path() + "/hub.db");
  hub::OrderBatch batch;
  batch.new_head = {1, "first\n"};
  batch.entries = {{to_bytes("a"), sha256(view("a")), sha256(view("author")), 0}};
  ASSERT_TRUE(one->commit(batch).ok());
  batch.new_head = {1, "second\n"};
  batch.entries[0].id = sha256(view("b"));
  EXPECT_EQ(two->commit(batch).error().code, ErrorCode::conflict);
  EXPECT_EQ(two->head()->checkpoint, "first\n");
}

}  // namespace
TEST(FileBlobs, AStartDropsUploadsThatNobodyGoesOnWith) {
  const TemporaryFolder folder;
  static_cast<void>(*open_file_blobs(folder.path()));
  const std::filesystem::path uploads = folder.path() + "/uploads";
  const auto made = [&uploads](const char* name, std::chrono::hours age) {
    EXPECT_TRUE(write_file_atomic((uploads / name).string(), view("x")).ok());
    const auto now = std::filesystem::file_time_type::clock::now();
    std::filesystem::last_write_time(uploads / name, now - age);
  };
  made("new.part", std::chrono::hours{1});
  made("week.part", kUnfinishedUploadKept - std::chrono::hours{1});
  made("old.part", kUnfinishedUploadKept + std::chrono::hours{1});
  made("new.1.lane", std::chrono::hours{0});
  static_cast<void>(*open_file_blobs(folder.path()));
  EXPECT_TRUE(std::filesystem::exists(uploads / "new.part"));
  EXPECT_TRUE(std::filesystem::exists(uploads / "week.part"));
  EXPECT_FALSE(std::filesystem::exists(uploads / "old.part"));
  EXPECT_FALSE(std::filesystem::exists(uploads / "new.1.lane"));
}

}  // namespace harambee::store
