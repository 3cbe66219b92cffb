#include "trainer/exact/model.h"

#include <cstdlib>

#include "format/safetensors.h"
#include "support.h"

namespace harambee::trainer {
namespace {

struct Pass {
  std::vector<float> gradients;
  std::vector<double> losses;
};

Pass one_pass(Model& model, std::size_t rows) {
  fill_weights(model, "weights");
  const std::vector<Token> tokens = some_tokens(model, rows, "tokens");
  Pass pass;
  pass.losses.resize(rows);
  EXPECT_TRUE(model.reserve_training(rows).ok());
  model.gradient(tokens, rows, pass.losses);
  pass.gradients.assign(model.gradients().begin(), model.gradients().end());
  return pass;
}

TEST(Model, GradientsHaveTheSameBitsAtEveryLevelAndNumberOfThreads) {
  for (const bool tied : {false, true}) {
    format::ModelConfig config = odd_config();
    config.tied = tied;
    const Pass want = one_pass(*make_model(config, Simd::scalar, 1), 5);
    for (const Simd simd : levels()) {
      for (const unsigned threads : {1u, 2u, 3u}) {
        const Pass got = one_pass(*make_model(config, simd, threads), 5);
        EXPECT_TRUE(same_bits(got.gradients, want.gradients)) << name(simd) << " " << threads;
        EXPECT_EQ(got.losses, want.losses);
      }
    }
  }
}

TEST(Model, PiecesOfABatchLeaveNoTrace) {
  for (const bool tied : {false, true}) {
    format::ModelConfig config = odd_config();
    config.tied = tied;
    const auto whole = make_model(config, best_kernels().simd, 2);
    const Pass want = one_pass(*whole, 7);
    EXPECT_EQ(whole->rows_at_once(), 7u);
    // Room for fewer rows: the same batch goes through in pieces.
    for (const std::size_t rows : {1, 2, 4}) {
      const auto model = make_model(config, best_kernels().simd, 2);
      fill_weights(*model, "weights");
      const std::vector<Token> tokens = some_tokens(*model, 7, "tokens");
      ASSERT_TRUE(model->reserve_training(rows).ok());
      std::vector<double> losses(7);
      model->gradient(tokens, 7, losses);
      EXPECT_EQ(losses, want.losses);
      EXPECT_EQ(
          std::memcmp(model->gradients().data(), want.gradients.data(), 4 * want.gradients.size()),
          0)
          << rows << " rows at once";
    }
  }
}

// Along each tensor's own gradient g, the loss must rise by |g| per unit of length.
TEST(Model, GradientsMatchFiniteDifferences) {
  for (const bool tied : {false, true}) {
    format::ModelConfig config = odd_config();
    config.tied = tied;
    const auto model = make_model(config, best_kernels().simd, 1);
    const std::size_t rows = 3;
    const Pass pass = one_pass(*model, rows);
    const std::vector<Token> tokens = some_tokens(*model, rows, "tokens");
    const std::vector<float> base(model->parameters().begin(), model->parameters().end());
    const auto loss_at = [&](const format::TensorPlace& tensor, double step) {
      for (std::size_t i = 0; i < tensor.size; ++i) {
        const std::size_t at = tensor.offset + i;
        model->parameters()[at] = static_cast<float>(base[at] + step * pass.gradients[at]);
      }
      model->touch();
      std::vector<double> losses(rows);
      model->losses(tokens, rows, losses);
      std::memcpy(model->parameters().data(), base.data(), 4 * base.size());
      double sum = 0;
      for (const double loss : losses) sum += loss;
      return sum / rows;
    };
    for (const format::TensorPlace& tensor : model->layout().tensors()) {
      double squares = 0;
      for (std::size_t i = 0; i < tensor.size; ++i) {
        const double g = pass.gradients[tensor.offset + i];
        squares += g * g;
      }
      const double length = std::sqrt(squares);
      ASSERT_GT(length, 1e-4) << tensor.name;
      const double step = 0.01 / length;  // moves by 0.01 in all
      const double slope = (loss_at(tensor, step) - loss_at(tensor, -step)) / 0.02;
      EXPECT_NEAR(slope / length, 1, 0.01) << tensor.name << (tied ? " (tied)" : "");
    }
  }
}

TEST(Model, EvaluationEqualsTrainingsForwardPass) {
  const auto model = make_model(odd_config(), best_kernels().simd, 2);
  const Pass pass = one_pass(*model, 4);
  std::vector<double> losses(4);
  model->losses(some_tokens(*model, 4, "tokens"), 4, losses);
  EXPECT_EQ(losses, pass.losses);
}

TEST(Model, LaterTokensDoNotChangeEarlierLogits) {
  const auto model = make_model(odd_config(), best_kernels().simd, 1);
  fill_weights(*model, "weights");
  std::vector<Token> tokens = some_tokens(*model, 1, "tokens");
  tokens.pop_back();
  std::vector<float> before(tokens.size() * 256), after(before.size());
  model->logits(tokens, before);
  tokens.back() ^= 1;
  model->logits(tokens, after);
  const std::size_t unchanged = (tokens.size() - 1) * 256;
  EXPECT_EQ(std::memcmp(before.data(), after.data(), 4 * unchanged), 0);
  EXPECT_NE(std::memcmp(before.data() + unchanged, after.data() + unchanged, 4 * 256), 0);
}

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A model that Hugging Face's transformers made, with its logits (tests/vectors/llama).
TEST(Model, ReproducesTransformersLogits) {
  format::ModelConfig config;
  config.hidden = 64, config.layers = 3, config.heads = 8, config.kv_heads = 2, config.ffn = 160;
  config.vocab = 512, config.context = 256;
  config.rope_theta = Decimal::parse("500000").value();
  config.norm_eps = Decimal::parse("0.00001").value();
  ModelOptions options;
  options.rope_scaling = RopeScaling{8, 1, 4, 64};
  const auto model = Model::make(format::ModelLayout::make(config).value(), options).value();
  const std::string folder = std::string(HARAMBEE_VECTORS) + "/llama/";
  const std::string weights = slurp(folder + "model.safetensors");
  const std::string expected = slurp(folder + "expected_logits.safetensors");
  if (weights.empty() || expected.empty()) GTEST_SKIP() << "no vectors";
  const auto file = format::parse_safetensors(view(weights)).value();
  for (const format::TensorPlace& tensor : model->layout().tensors()) {
    const format::Tensor* found = file.find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    ASSERT_EQ(found->data.size(), 4 * tensor.size);
    std::memcpy(&model->parameters()[tensor.offset], found->data.data(), found->data.size());
  }
  model->touch();
  const auto golden = format::parse_safetensors(view(expected)).value();
  const format::Tensor *ids = nullptr, *logits = nullptr;
  for (const format::Tensor& tensor : golden.tensors) {
    (tensor.dtype == "F32" ? logits : ids) = &tensor;
  }
  ASSERT_TRUE(ids != nullptr && logits != nullptr);
  const std::size_t count = logits->data.size() / 4 / 512;
  const std::size_t bytes = ids->data.size() / count;
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) std::memcpy(&tokens[i], &ids->data[i * bytes], 4);
  std::vector<float> want(count * 512), got(count * 512);
  std::memcpy(want.data(), logits->data.data(), logits->data.size());
  model->logits(tokens, got);
  float worst = 0, largest = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::fabs(got[i] - want[i]));
    largest = std::max(largest, std::fabs(want[i]));
  }
  // transformers computes the angles of rotation in single precision, we in double.
  EXPECT_LT(worst, 1e-4f * largest) << "largest logit " << largest;
}

TEST(Model, GradientsMatchPyTorch) {
  Folder folder;
  const format::ModelConfig config = odd_config();
  const auto model = make_model(config, best_kernels().simd, 1);
  const Pass pass = one_pass(*model, 3);
  const std::vector<Token> tokens = some_tokens(*model, 3, "tokens");
  const auto bytes = [](const auto& x) {
    return std::string_view(reinterpret_cast<const char*>(x.data()), x.size() * sizeof(x[0]));
  };
  folder.write("model.json", write(format::to_json(config)));
  folder.write("tokens.bin", bytes(tokens));
  folder.write("weights.bin", bytes(model->parameters()));
  folder.write("gradients.bin", bytes(pass.gradients));
  folder.write("loss.txt", std::to_string((pass.losses[0] + pass.losses[1] + pass.losses[2]) / 3));
  const std::string command =
      "/usr/bin/python3 " HARAMBEE_SOURCE "/bench/torch_step.py --check " + folder.path();
  const int status = std::system(command.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == 77 || code == 127) GTEST_SKIP() << "PyTorch is not installed";
  EXPECT_EQ(code, 0);
}

TEST(Model, SaysWhenMemoryDoesNotSuffice) {
  ModelOptions options;
  options.memory_bytes_max = 1 << 20;
  format::ModelConfig config = odd_config();
  config.context = 4096;
  const auto made = Model::make(format::ModelLayout::make(config).value(), options);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().code, ErrorCode::limit);

  options.memory_bytes_max = 3 << 20;
  const auto model = Model::make(format::ModelLayout::make(odd_config()).value(), options).value();
  EXPECT_EQ(model->rows_at_once(), 0u);
  ASSERT_TRUE(model->reserve_training(4096).ok());
  EXPECT_GE(model->rows_at_once(), 1u);
  EXPECT_LT(model->rows_at_once(), 4096u);
}

}  // namespace
}  // namespace harambee::trainer
