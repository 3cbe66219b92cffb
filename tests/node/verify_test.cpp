#include "node/verify.h"

#include <gmock/gmock.h>

#include <fstream>

#include "node/run_address.h"
#include "store/file.h"
#include "tests/node/small_run.h"
#include "tests/store/temporary_folder.h"

namespace harambee::node {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using testing::SmallRun;
using testing::SmallRunOptions;

// Serves a directory's files, as a hub would.
class FileWire final : public Wire {
 public:
  explicit FileWire(fs::path dir) : dir_(std::move(dir)) {}
  Result<WireResponse> exchange(const WireRequest& request) override {
    if (down) return fail(ErrorCode::unavailable, "connection refused");
    std::string path = request.url.substr(std::string("http://hub.test").size() + 1);
    if (path.starts_with("blobs/")) path = "blobs/" + path.substr(6, 2) + "/" + path.substr(6);
    Result<Bytes> bytes = store::read_file((dir_ / path).string(), 1 << 30);
    WireResponse response;
    response.status = bytes ? 200 : 404;
    if (bytes) response.body = *std::move(bytes);
    return response;
  }
  Traffic traffic() const override { return {}; }
  bool down = false;

 private:
  fs::path dir_;
};

class VerifyTest : public ::testing::Test {
 protected:
  std::string dir(const char* name = "hub") const { return folder_.path() + "/" + name; }

  Result<VerifyReport> check(const VerifyOptions& options = {}) {
    Result<std::unique_ptr<LogSource>> source = open_directory_source(dir());
    if (!source) return source.error();
    return verify(**source, options);
  }
  // The places of all faults, which must be some.
  std::vector<std::string> faults() {
    Result<VerifyReport> report = check();
    EXPECT_TRUE(report.ok()) << report.error().message;
    std::vector<std::string> places;
    if (!report.ok()) return places;
    EXPECT_FALSE(report->verified());
    for (const Fault& fault : report->faults) places.push_back(fault.place + ": " + fault.what);
    return places;
  }
  static Bytes read(const fs::path& file) { return *store::read_file(file.string(), 1 << 30); }
  static void write(const fs::path& file, const Bytes& bytes) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
  }

  TemporaryFolder folder_;
};

// Whoever states something else about a blob than the blob does is named.
TEST_F(VerifyTest, NamesAValidatorThatLiesAboutBlobs) {
  const std::string validator =
      SecretKey::from_seed(sha256(view("key of validator")).bytes).id().hex();
  int nth = 0;
  const std::vector<std::pair<std::function<void(fold::ScoreEntry&)>, std::string>> lies = {
      {[](fold::ScoreEntry& entry) { entry.squared_norm += "0"; }, "the squared norm"},
      {[](fold::ScoreEntry& entry) { ++entry.norm_exponent; }, "the squared norm"},
      {[](fold::ScoreEntry& entry) { entry.group = 0; }, "the group"},
      {[](fold::ScoreEntry& entry) {
         entry.verdict = "malformed: I do not like it";
         entry.gain_nanos = 0;
       },
       "the verdict"},
      {[](fold::ScoreEntry& entry) {
         entry.verdict = "norm: 99.0 times the median";
         entry.gain_nanos = 0;
       },
       "should be \"ok\""}};
  for (const auto& [lie, what] : lies) {
    SCOPED_TRACE(what);
    SmallRun small({.lie_score = [&lie](fold::Score& score) {
      if (score.round == 2) lie(score.entries[1]);
    }});
    const std::string hub = "hub" + std::to_string(nth++);
    small.write_to(dir(hub.c_str()));
    Result<std::unique_ptr<LogSource>> source = open_directory_source(dir(hub.c_str()));
    ASSERT_TRUE(source.ok());
    Result<VerifyReport> report = verify(**source, {});
    ASSERT_TRUE(report.ok()) << report.error().message;
    ASSERT_EQ(report->faults.size(), 1u);
    EXPECT_THAT(report->faults[0].place, AllOf(HasSubstr("round 2"), HasSubstr(validator)));
    EXPECT_THAT(report->faults[0].what, HasSubstr(what));
    EXPECT_EQ(report->facts_checked, 3u);
  }
}

TEST_F(VerifyTest, AnHonestLogIsReplayedToTheLastWeights) {
  SmallRun small({.extra_ticks = 300});
  small.write_to(dir());
  Result<VerifyReport> report = check();
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (const Fault& fault : report->faults) ADD_FAILURE() << fault.place << ": " << fault.what;
  EXPECT_TRUE(report->verified());
  EXPECT_EQ(report->entries, small.entries().size());
  EXPECT_EQ(report->vkey, small.vkey());
  EXPECT_EQ(report->state, fold::state_hash(small.state()));
  ASSERT_EQ(report->runs.size(), 1u);
  EXPECT_EQ(report->runs[0].rounds_replayed, 3u);
  EXPECT_EQ(report->runs[0].weights, small.run().weights);
  EXPECT_EQ(report->runs[0].withheld, 1u);
  EXPECT_EQ(report->blobs, small.blobs().size());
}

TEST_F(VerifyTest, ARunThatWentBackIsReplayedToo) {
  SmallRun small({.rounds = 5, .void_round = 2});
  small.write_to(dir());
  Result<VerifyReport> report = check();
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->verified()) << report->faults[0].what;
  EXPECT_EQ(report->runs[0].rounds_replayed, 5u);
  EXPECT_EQ(report->runs[0].weights, small.run().weights);
  EXPECT_EQ(report->facts_checked, 5u);
}

// The residual that the fold cannot know: before the first accepted contribution.
TEST_F(VerifyTest, AVoidThatLiesAboutTheResidualIsCaught) {
  SmallRun small(
      {.rounds = 2, .withheld_round = -1, .void_round = 1, .lie_void = [](fold::Void& act) {
         act.residual = sha256(view("another"));
       }});
  small.write_to(dir());
  EXPECT_THAT(faults(), Contains(AllOf(HasSubstr("round 1"), HasSubstr("residual digest"))));
}

TEST_F(VerifyTest, AHubIsVerifiedLikeItsDirectory) {
  SmallRun small;
  small.write_to(dir());
  FileWire wire(dir());
  auto source = open_hub_source(wire, "http://hub.test", {.cache_dir = dir("cache")});
  ASSERT_TRUE(source.ok());
  Result<VerifyReport> report = verify(**source, {});
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report->verified());
  EXPECT_EQ(report->runs.at(0).rounds_replayed, 3u);

  wire.down = true;
  Result<VerifyReport> none = verify(**source, {});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code, ErrorCode::unavailable);
}

// The promise: a flipped byte of any stored entry, tile, checkpoint or blob is found and named.
TEST_F(VerifyTest, AFlippedByteAnywhereIsFoundAndItsFileNamed) {
  SmallRun small({.extra_ticks = 230});
  small.write_to(dir());
  ASSERT_TRUE(check()->verified());
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir())) {
    if (!entry.is_regular_file() || entry.path().filename() == "format") continue;
    ++files;
    std::string name = fs::relative(entry.path(), dir()).string();
    Bytes good = read(entry.path());
    for (std::size_t at : {std::size_t{0}, good.size() / 3, good.size() / 2, good.size() - 1}) {
      for (int bit : {0, 6}) {
        Bytes bad = good;
        bad[at] ^= static_cast<std::uint8_t>(1u << bit);
        write(entry.path(), bad);
        EXPECT_THAT(faults(), Contains(HasSubstr(name))) << name << " byte " << at;
      }
    }
    write(entry.path(), good);
  }
  EXPECT_GT(files, 20);
  EXPECT_TRUE(check()->verified());
}

TEST_F(VerifyTest, AFlippedByteInAnEntryNamesTheEntry) {
  SmallRun small;
  small.write_to(dir());
  int width = log::tile_width(log::kEntries, 0, small.entries().size());
  std::string bundle = log::tile_path({log::kEntries, 0, width});
  Bytes bytes = read(fs::path(dir()) / bundle);
  std::size_t at = 0;
  for (int i = 0; i < 5; ++i) at += 2 + small.entries()[static_cast<std::size_t>(i)].size();
  bytes[at + 200] ^= 1;  // inside entry 5
  write(fs::path(dir()) / bundle, bytes);
  EXPECT_THAT(faults(), Contains(HasSubstr(bundle + " entry 5")));
}

TEST_F(VerifyTest, AMissingBlobIsNamedUnlessItWasWithheld) {
  SmallRun small;
  small.write_to(dir());
  ASSERT_EQ(small.withheld().size(), 1u);
  ASSERT_TRUE(check()->verified());
  for (const auto& [digest, bytes] : small.blobs()) {
    fs::path file = fs::path(dir()) / "blobs" / digest.hex().substr(0, 2) / digest.hex();
    fs::rename(file, dir("aside"));
    EXPECT_THAT(faults(), Contains(HasSubstr(digest.hex())));
    fs::rename(dir("aside"), file);
  }
}

TEST_F(VerifyTest, AStrangersEmptyWordsDoNotSpoilTheLog) {
  SmallRun small({.stranger = true});
  small.write_to(dir());
  const Result<VerifyReport> report = check();
  ASSERT_TRUE(report.ok()) << report.error().message;
  for (const Fault& fault : report->faults) ADD_FAILURE() << fault.place << ": " << fault.what;
  EXPECT_TRUE(report->verified());
  EXPECT_EQ(report->runs.size(), 2u);
  // The shard that he gave another size is still checked.
  const Digest shard = sha256(Bytes(500, 'a'));
  write(fs::path(dir()) / "blobs" / shard.hex().substr(0, 2) / shard.hex(), Bytes(501, 'a'));
  EXPECT_THAT(faults(), Contains(HasSubstr(shard.hex())));
}

TEST_F(VerifyTest, ACoordinatorThatLiesIsCaughtWithItsRound) {
  struct Lie {
    std::function<void(fold::Close&)> tell;
    const char* round;
    const char* what;
  };
  const Lie lies[] = {
      {[](fold::Close& close) {
         if (close.round == 0) close.weights.bytes[0] ^= 1;
       },
       "round 0", "weights digest"},
      {[](fold::Close& close) {
         if (close.round == 1) close.residual.bytes[0] ^= 1;
       },
       "round 1", "residual digest"},
      {[](fold::Close& close) {
         if (close.round == 2) close.update->digest.bytes[0] ^= 1;
       },
       "round 2", "update blob"},
  };
  for (const Lie& lie : lies) {
    fs::remove_all(dir());
    SmallRunOptions options;
    options.lie = lie.tell;
    SmallRun(options).write_to(dir());
    EXPECT_THAT(faults(), Contains(AllOf(HasSubstr(lie.round), HasSubstr(lie.what))));
  }
}

TEST_F(VerifyTest, AnotherKeyThanTheOneAskedForIsAFault) {
  SmallRun small;
  small.write_to(dir());
  VerifyOptions options;
  options.log.vkey = "small.test/log+00000000+AAAA";
  EXPECT_FALSE(check(options)->verified());
  options.log.vkey = small.vkey();
  EXPECT_TRUE(check(options)->verified());
}

TEST_F(VerifyTest, DirectoriesThatAreNoHubsAreRefused) {
  EXPECT_EQ(check().error().code, ErrorCode::not_found);
  fs::create_directories(dir());
  EXPECT_EQ(check().error().code, ErrorCode::invalid);
  write(fs::path(dir()) / "format", to_bytes("harambee-hub 9\n"));
  EXPECT_THAT(check().error().message, HasSubstr("harambee-hub 9"));
}

TEST_F(VerifyTest, ARunThatIsNotThereIsNotFoundAndStoppingIsCancelled) {
  SmallRun small;
  small.write_to(dir());
  VerifyOptions options;
  options.run = "other";
  EXPECT_EQ(check(options).error().code, ErrorCode::not_found);
  options.run.clear();
  options.stop = [] { return true; };
  EXPECT_EQ(check(options).error().code, ErrorCode::cancelled);
}

TEST(RunAddress, IsReadAndWrittenStrictly) {
  Result<RunAddress> address = parse_run_address("http://10.0.0.1:8080/runs/my-run@12");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->hub, "http://10.0.0.1:8080");
  EXPECT_EQ(address->str(), "http://10.0.0.1:8080/runs/my-run");
  EXPECT_EQ(address->round, 12);
  for (const char* bad :
       {"", "http://host", "ftp://host/runs/x", "http://host/runs/", "http://host/runs/UPPER",
        "http://host/runs/x@", "http://host/runs/x@-1", "http:///runs/x", "http://ho st/runs/x",
        "http://host/runs/-x", "http://user@host/runs/x"}) {
    EXPECT_FALSE(parse_run_address(bad).ok()) << bad;
  }
}

VerifyOptions with_samples(std::uint64_t count, const std::string& work) {
  VerifyOptions options;
  options.samples = count;
  options.trainer = {"python3", HARAMBEE_SOURCE "/tests/node/fake_trainer.py", "exact"};
  options.work_dir = work;
  return options;
}

TEST_F(VerifyTest, SamplesAreWrittenAgain) {
  SmallRun({.samples = true}).write_to(dir());
  for (const std::uint64_t count : {1, 3, 4}) {
    const Result<VerifyReport> report = check(with_samples(count, dir("work")));
    ASSERT_TRUE(report.ok()) << report.error().message;
    EXPECT_TRUE(report->verified()) << report->faults.front().what;
    EXPECT_EQ(report->samples, count);
    EXPECT_EQ(report->samples_exact, count);
  }
}

TEST_F(VerifyTest, WhoLogsATextThatNoModelWroteIsNamed) {
  SmallRunOptions options;
  options.samples = true;
  options.lie_sample = [](fold::Sample& act) {
    if (act.round == 3) act.texts[0].text[7] ^= 1;
    if (act.round == 2) act.numeric_class = "other-1";  // nobody can say
  };
  const SmallRun small(options);
  small.write_to(dir());
  const Result<VerifyReport> report = check(with_samples(9, dir("work")));
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_EQ(report->samples, 3u);
  EXPECT_EQ(report->samples_exact, 2u);
  ASSERT_EQ(report->faults_count, 1u);
  EXPECT_THAT(report->faults[0].place, HasSubstr("by " + small.run().coordinator.hex()));
  EXPECT_THAT(report->faults[0].what, HasSubstr("from byte 7 on"));
}

}  // namespace
}  // namespace harambee::node
