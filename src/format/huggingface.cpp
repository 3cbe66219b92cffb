// The files that Hugging Face tools want beside model.safetensors.
#include "format/byte_characters.h"
#include "format/model.h"

namespace harambee::format {
namespace {

// A decimal as a JSON number that readers take for a float.
std::string json_float(const Decimal& number) {
  std::string text = number.str();
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string hf_config_json(const ModelConfig& config) {
  const auto line = [](const char* key, const std::string& value) {
    return std::string("  \"") + key + "\": " + value + ",\n";
  };
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  return "{\n  \"architectures\": [\n    \"LlamaForCausalLM\"\n  ],\n" +
         line("attention_bias", "false") + line("attention_dropout", "0.0") +
         line("bos_token_id", "null") + line("eos_token_id", "null") +
         line("head_dim", number(config.head_dim())) + line("hidden_act", "\"silu\"") +
         line("hidden_size", number(config.hidden)) + line("initializer_range", "0.02") +
         line("intermediate_size", number(config.ffn)) +
         line("max_position_embeddings", number(config.context)) + line("mlp_bias", "false") +
         line("model_type", "\"llama\"") + line("num_attention_heads", number(config.heads)) +
         line("num_hidden_layers", number(config.layers)) +
         line("num_key_value_heads", number(config.kv_heads)) + line("pad_token_id", "null") +
         line("pretraining_tp", "1") + line("rms_norm_eps", json_float(config.norm_eps)) +
         line("rope_scaling", "null") + line("rope_theta", json_float(config.rope_theta)) +
         line("tie_word_embeddings", config.tied ? "true" : "false") +
         line("torch_dtype", "\"float32\"") + line("use_cache", "true") +
         "  \"vocab_size\": " + number(config.vocab) + "\n}\n";
}

std::string hf_tokenizer_json() {
  std::string vocab;
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::string character = byte_character(byte);
    if (character == "\"" || character == "\\") character.insert(0, "\\");
    vocab += "      \"" + character + "\": " + std::to_string(byte) + (byte < 255 ? ",\n" : "\n");
  }
  return R"({
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": [],
  "normalizer": null,
  "pre_tokenizer": {
    "type": "ByteLevel",
    "add_prefix_space": false,
    "trim_offsets": true,
    "use_regex": false
  },
  "post_processor": null,
  "decoder": {
    "type": "ByteLevel",
    "add_prefix_space": false,
    "trim_offsets": true,
    "use_regex": false
  },
  "model": {
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {
)" + vocab +
         R"(    },
    "merges": []
  }
}
)";
}

std::string hf_tokenizer_config_json(const ModelConfig& config) {
  return "{\n  \"add_prefix_space\": false,\n  \"clean_up_tokenization_spaces\": false,\n"
         "  \"model_max_length\": " +
         std::to_string(config.context) +
         ",\n"
         "  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n";
}

std::string hf_generation_config_json() {
  return "{\n  \"_from_model_config\": true,\n  \"bos_token_id\": null,\n"
         "  \"eos_token_id\": null,\n  \"pad_token_id\": null\n}\n";
}

}  // namespace harambee::format
