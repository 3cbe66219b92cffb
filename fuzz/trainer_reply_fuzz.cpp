// A line from a trainer program. Compiled in here for the reason in log_answer_fuzz.cpp.
#include "node/trainer_reply.h"

#include "../src/node/trainer_reply.cpp"
#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace harambee;
  const auto parsed = node::parse_trainer_reply(text({data, size}));
  if (!parsed) return 0;
  HARAMBEE_CHECK(parsed->message.size() <= 500 && parsed->name.size() <= 500);
  for (const std::int64_t loss : parsed->nanos) HARAMBEE_CHECK(std::abs(loss) <= fold::kNanosMax);
  HARAMBEE_CHECK(parsed->tokens >= 0 || parsed->op == node::TrainerReply::Op::progress);
  return 0;
}
