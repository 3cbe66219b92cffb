#include "format/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace harambee::format {
namespace {

// A file with this header text and `data_bytes` zeros.
Bytes file(const std::string& header, std::size_t data_bytes) {
  Bytes out;
  put_u64le(out, header.size());
  out.insert(out.end(), header.begin(), header.end());
  out.resize(out.size() + data_bytes);
  return out;
}

std::string why_refused(const std::string& header, std::size_t data_bytes) {
  const Bytes bytes = file(header, data_bytes);
  const Result<Safetensors> parsed = parse_safetensors(bytes);
  return parsed ? "" : parsed.error().message;
}

Bytes read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Safetensors, ReadsAFileWrittenByTransformers) {
  const Bytes bytes = read_file(std::string(HARAMBEE_VECTORS) + "/llama/model.safetensors");
  const Result<Safetensors> parsed = parse_safetensors(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  ASSERT_EQ(parsed->metadata.size(), 1u);
  EXPECT_EQ(parsed->metadata[0].first, "format");
  const Tensor* head = parsed->find("lm_head.weight");
  ASSERT_NE(head, nullptr);
  EXPECT_EQ(head->dtype, "F32");
  EXPECT_EQ(head->shape, (std::vector<std::uint64_t>{512, 64}));
  EXPECT_EQ(head->data.size(), 512u * 64 * 4);
  EXPECT_EQ(parsed->find("no.such.tensor"), nullptr);
}

TEST(Safetensors, CanonicalHeaderIsWhatTheReferenceWriterMakes) {
  const Bytes bytes = read_file(std::string(HARAMBEE_VECTORS) + "/llama/model.safetensors");
  const Result<Safetensors> parsed = parse_safetensors(bytes);
  ASSERT_TRUE(parsed.ok());
  std::vector<TensorShape> shapes;
  for (const Tensor& tensor : parsed->tensors) shapes.push_back({tensor.name, tensor.shape});
  const Bytes header = canonical_f32_header(shapes);
  ASSERT_EQ(header.size(), parsed->data_offset);
  EXPECT_TRUE(std::equal(header.begin(), header.end(), bytes.begin()));
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
  EXPECT_EQ(why_refused("{}", 0), "");
  EXPECT_EQ(why_refused(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}  )", 4), "");
  EXPECT_EQ(why_refused(R"({"a":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]}})", 0), "");
  EXPECT_EQ(why_refused(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},)"
                        R"("a":{"shape":[2],"dtype":"BF16","data_offsets":[0,4]}})",
                        6),
            "");
  EXPECT_EQ(why_refused(R"({"__metadata__":{"k":"v"}})", 0), "");
}

TEST(Safetensors, RefusesBrokenLengths) {
  EXPECT_FALSE(parse_safetensors({}).ok());
  EXPECT_FALSE(parse_safetensors(Bytes(7)).ok());
  EXPECT_FALSE(parse_safetensors(Bytes(8)).ok());  // an empty header is no JSON
  Bytes past_end = file("{}", 0);
  past_end[0] = 3;
  EXPECT_FALSE(parse_safetensors(past_end).ok());
  Bytes huge = file("{}", 0);
  huge[7] = 0xFF;
  const Result<Safetensors> parsed = parse_safetensors(huge);
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().code, ErrorCode::limit);
}

TEST(Safetensors, RefusesWhatIsNotTheFormat) {
  const std::vector<std::pair<std::string, std::size_t>> bad{
      {" {}", 0},
      {"[]", 0},
      {"{", 0},
      {"{}x", 0},
      {std::string("{}\0", 3), 0},
      {"{\"\xFF\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1},
      {R"({"a":{"dtype":"f32","shape":[],"data_offsets":[0,4]}})", 4},
      {R"({"a":{"dtype":"Q8","shape":[],"data_offsets":[0,1]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[1]}})", 1},
      {R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1},
      {R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", 1},
      {R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1},
      {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1},
      {R"({"a":1})", 0},
      {R"({"a":null})", 0},
      {R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1},
      {R"({"__metadata__":null})", 0},
      {R"({"__metadata__":{"k":1}})", 0},
      {R"({"__metadata__":{"k":{}}})", 0},
      {R"({"__metadata__":{"k":"v","k":"v"}})", 0},
      {R"({"__metadata__":{},"__metadata__":{}})", 0},
  };
  for (const auto& [header, data] : bad) EXPECT_NE(why_refused(header, data), "") << header;
}

TEST(Safetensors, RefusesDuplicateNamesEvenWhenTheSizesFit) {
  EXPECT_THAT(why_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                          2),
              testing::HasSubstr("two entries"));
}

TEST(Safetensors, RefusesDataThatDoesNotFit) {
  const std::vector<std::pair<std::string, std::size_t>> bad{
      {"[0,4]}}", 3},                                                         // past the end
      {"[0,4]}}", 5},                                                         // bytes left over
      {"[1,5]}}", 5},                                                         // a hole in front
      {"[4,0]}}", 4},                                                         // backwards
      {"[0,8]}}", 8},                                                         // not its shape
      {R"([0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6},  // overlap
      {R"([0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})", 9},  // hole
      {R"([0,4]},"b":{"dtype":"F4","shape":[1],"data_offsets":[4,4]}})", 4},  // half a byte
      {R"([0,4]},"b":{"dtype":"U64","shape":[4294967296,4294967296],"data_offsets":[4,4]}})", 4},
  };
  for (const auto& [tail, data] : bad) {
    EXPECT_NE(why_refused(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)" + tail, data), "")
        << tail;
  }
}

TEST(Safetensors, KeepsItsLimits) {
  std::string many = "{";
  for (std::size_t i = 0; i <= kSafetensorsTensorsMax; ++i) {
    many += (i ? ",\"" : "\"") + std::to_string(i) +
            R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  EXPECT_THAT(why_refused(many + "}", 0), testing::HasSubstr("too many tensors"));
  const std::string name(kSafetensorsNameBytesMax + 1, 'n');
  EXPECT_NE(why_refused("{\"" + name + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0),
            "");
  EXPECT_NE(why_refused("{\"a\":" + std::string(100'000, '['), 0), "");
}

TEST(Safetensors, EveryTruncationAndByteFlipIsAnAnswer) {
  const Bytes good = file(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],)"
                          R"("data_offsets":[0,8]},"b":{"dtype":"U8","shape":[1],)"
                          R"("data_offsets":[8,9]}})",
                          9);
  ASSERT_TRUE(parse_safetensors(good).ok());
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_safetensors(View(good).first(size)).ok()) << size;
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (int flip = 1; flip < 256; flip *= 2) {
      Bytes bytes = good;
      bytes[i] ^= static_cast<std::uint8_t>(flip);
      (void)parse_safetensors(bytes);
    }
  }
}

}  // namespace
}  // namespace harambee::format
