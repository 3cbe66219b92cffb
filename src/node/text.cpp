#include "node/text.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/hash.h"
#include "store/file.h"

namespace harambee::node {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kNotesMax = 100;
constexpr std::uint64_t kPiecesWanted = 256;  // little text is cut finer
constexpr std::uint64_t kShardBytesWanted = 32 * 1024;

// Zero bytes do not occur in text, and other control characters hardly ever.
bool looks_binary(View bytes) {
  View head = bytes.first(std::min<std::size_t>(bytes.size(), 8192));
  std::size_t control = 0;
  for (std::uint8_t byte : head) {
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f') ++control;
  }
  return control * 50 > head.size() || std::find(bytes.begin(), bytes.end(), 0) != bytes.end();
}

class Reader {
 public:
  explicit Reader(const TextOptions& options) : options_(options) {}

  Result<TextShards> run(std::uint64_t context) {
    for (const std::string& path : options_.paths) {
      if (Status done = take(path); !done) return done.error();
    }
    if (notes_left_out_ > 0) {
      shards_.notes.push_back("… and " + std::to_string(notes_left_out_) + " more were skipped");
    }
    if (read_bytes_ == 0) return invalid("there is no text in " + listed());
    cut();
    return assemble(context);
  }

 private:
  [[nodiscard]] bool wants_held_out() const { return options_.held_out_percent > 0; }

  [[nodiscard]] std::string listed() const {
    std::string names;
    for (const std::string& path : options_.paths) names += (names.empty() ? "" : ", ") + path;
    return names.empty() ? "nothing" : names;
  }

  void note(std::string text) {
    if (shards_.notes.size() < kNotesMax) {
      shards_.notes.push_back(std::move(text));
    } else {
      ++notes_left_out_;
    }
  }

  Status take(const std::string& path) {
    std::error_code error;
    fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) {
      return fail(ErrorCode::not_found, path + ": no such file or folder");
    }
    if (fs::is_directory(status)) return take_folder(path);
    if (!fs::is_regular_file(status)) return invalid(path + " is neither a file nor a folder");
    Result<Bytes> bytes = store::read_file(path, options_.bytes_max);
    if (!bytes) return wrap(bytes.error(), path);
    if (looks_binary(*bytes)) return invalid(path + " is no text: it has binary bytes");
    keep(path, *std::move(bytes));
    return ok();
  }

  Status take_folder(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    auto walk = fs::recursive_directory_iterator(
        folder, fs::directory_options::skip_permission_denied, error);
    if (error) return fail(ErrorCode::io, folder + ": " + error.message());
    for (fs::recursive_directory_iterator end; walk != end; walk.increment(error)) {
      if (error) {
        note("skipped the rest of " + folder + ": " + error.message());
        break;
      }
      bool hidden = walk->path().filename().string().starts_with('.');
      if (hidden && walk->is_directory(error)) walk.disable_recursion_pending();
      if (hidden || !walk->is_regular_file(error)) continue;
      if (files.size() == kTextFilesMax) {
        note("took the first " + std::to_string(kTextFilesMax) + " files of " + folder);
        break;
      }
      files.push_back(walk->path().string());
    }
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
      if (options_.stop && options_.stop()) return fail(ErrorCode::cancelled, "stopped");
      Result<Bytes> bytes = store::read_file(file, options_.bytes_max);
      if (!bytes) {
        note("skipped " + file + ": " + bytes.error().message);
      } else if (looks_binary(*bytes)) {
        note("skipped " + file + ": not text");
      } else if (!bytes->empty()) {
        keep(file, *std::move(bytes));
      }
    }
    return ok();
  }

  void keep(const std::string& file, Bytes bytes) {
    if (read_bytes_ + bytes.size() > options_.bytes_max) {
      note("skipped " + file + ": there are " + std::to_string(options_.bytes_max) +
           " bytes of text already");
      return;
    }
    read_bytes_ += bytes.size();
    ++shards_.files;
    files_.push_back(std::move(bytes));
  }

  // A piece is known by its hash, so the order of the files does not matter and a licence that
  // lies in a thousand folders is trained on once.
  void cut() {
    std::uint64_t piece = kTextPieceBytes;
    while (piece > kTextPieceBytesMin && read_bytes_ / piece < kPiecesWanted) piece /= 2;
    for (const Bytes& file : files_) {
      for (std::size_t at = 0; at < file.size(); at += piece) {
        View bytes = View(file).subspan(at, std::min<std::size_t>(piece, file.size() - at));
        if (!pieces_.emplace(sha256(bytes), bytes).second) shards_.duplicate_bytes += bytes.size();
      }
    }
    shards_.bytes = read_bytes_ - shards_.duplicate_bytes;
  }

  Result<TextShards> assemble(std::uint64_t context) {
    std::uint64_t wanted = std::clamp<std::uint64_t>(shards_.bytes / kShardBytesWanted, 1,
                                                     std::max(1u, options_.shards));
    std::vector<Bytes> train(wanted);
    for (const auto& [digest, bytes] : pieces_) {
      bool held_out =
          get_u64be(digest.bytes.data()) % 100 < options_.held_out_percent ||
          (wants_held_out() && shards_.held_out.size() <= context && pieces_.size() <= 16);
      Bytes& to = held_out ? shards_.held_out : train[get_u64be(digest.bytes.data() + 8) % wanted];
      to.insert(to.end(), bytes.begin(), bytes.end());
    }
    // A shard must hold at least a few rows; what is too short joins its neighbour.
    Bytes carry;
    for (Bytes& shard : train) {
      carry.insert(carry.end(), shard.begin(), shard.end());
      if (carry.size() < 2 * (context + 1)) continue;
      shards_.train.push_back(std::exchange(carry, {}));
    }
    if (!shards_.train.empty()) {
      Bytes& last = shards_.train.back();
      last.insert(last.end(), carry.begin(), carry.end());
    }
    if (shards_.train.empty() || (wants_held_out() && shards_.held_out.size() <= context)) {
      return invalid("too little text: " + std::to_string(shards_.bytes) + " bytes in " + listed() +
                     (wants_held_out() ? ", of which a part is held out for scoring" : "") +
                     "; rows are " + std::to_string(context + 1) +
                     " bytes long, so give at least " + std::to_string(64 * (context + 1)) +
                     " bytes");
    }
    return std::move(shards_);
  }

  const TextOptions& options_;
  std::vector<Bytes> files_;
  std::uint64_t read_bytes_ = 0;
  std::map<Digest, View> pieces_;
  TextShards shards_;
  std::size_t notes_left_out_ = 0;
};

}  // namespace

Result<TextShards> read_text(const TextOptions& options, std::uint64_t context) {
  return Reader(options).run(context);
}

}  // namespace harambee::node
