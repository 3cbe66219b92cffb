// Wires the command line to the verbs; nothing else happens here. The only file that sees CLI11.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "cli/command_model.h"
#include "cli/exit_codes.h"
#include "cli/suggest.h"
#include "cli/ui.h"
#include "cli/verbs.h"

namespace harambee::cli {
namespace {

// What the chosen verb will do, and whether it speaks JSON.
struct Chosen {
  std::function<Exit(Ui&)> run;
  const bool* json = nullptr;
};

template <typename Options>
void choose(CLI::App* verb, Chosen& chosen, Options& options, const bool& json,
            Exit (*run)(const Options&, Ui&)) {
  verb->callback([&chosen, &options, &json, run] {
    chosen.run = [&options, run](Ui& ui) { return run(options, ui); };
    chosen.json = &json;
  });
}

void add_json(CLI::App* verb, bool& json) {
  verb->add_flag("--json", json, "One JSON object at the end; long-lived verbs: one a line");
}

void add_dir(CLI::App* verb, Common& common) {
  verb->add_option("--dir", common.dir, "Where state is kept (default: ~/.local/share/harambee/…)");
}

void add_trainer(CLI::App* verb, Common& common) {
  verb->add_option("--trainer", common.trainer, "Trainer command (default: harambee-trainer)");
  verb->add_option("--threads", common.threads, "Threads of the trainer (default: all cores)");
  verb->add_option("--simd", common.simd, "Instruction set of harambee-trainer")
      ->check(CLI::IsMember({"scalar", "avx2", "avx512", "neon"}));
}

void add_audit_trainer(CLI::App* verb, std::vector<std::string>& commands) {
  verb->add_option("--audit-trainer", commands,
                   "CLASS=COMMAND: a trainer that can repeat an inexact class; may be repeated");
}

void add_key(CLI::App* verb, Common& common) {
  verb->add_option("--key", common.key, "Key file (default: key.pem in DIR, made on first use)");
}

struct AllOptions {
  KeyOptions key;
  HubVerbOptions hub;
  RecipeOptions recipe;
  RunOpenOptions run_open;
  BaselineOptions baseline;
  AgentOptions agent;
  ReadOptions read;
  DisputeOptions dispute;
  VerifyVerbOptions verify;
  PullOptions pull;
  GenerateOptions generate;
  ServeOptions serve;
  ConformanceOptions conformance;
  DemoOptions demo;
  DoctorOptions doctor;
  TokenOptions token;
  ShellOptions shell;
  SimulateOptions simulate;
};

// What a value may be, from the validator's own description: "TEXT:{a,b,c}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{'), close = type.find('}');
  std::vector<std::string> choices;
  if (open == std::string::npos || close == std::string::npos) return choices;
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

CommandModel describe(const CLI::App& app) {
  CommandModel command{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    OptionModel one;
    for (const std::string& name : option->get_lnames()) one.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) one.names.push_back("-" + name);
    if (option->get_positional()) one.positional = option->get_name(true);
    one.help = option->get_description();
    one.takes_value = option->get_items_expected_max() > 0;
    one.repeated = option->get_items_expected_max() > 1;
    one.required = option->get_required();
    one.choices = choices_of(*option);
    command.options.push_back(std::move(one));
  }
  for (const CLI::App* verb : app.get_subcommands({})) command.verbs.push_back(describe(*verb));
  return command;
}

void wire_shell(CLI::App& app, AllOptions& all, Chosen& chosen) {
  CLI::App* script = app.add_subcommand("completion", "Print a completion script for a shell");
  script->add_option("SHELL", all.shell.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  script->callback([&app, &all, &chosen] {
    chosen.run = [&app, &all](Ui& ui) { return completion(all.shell, describe(app), ui); };
    chosen.json = &all.shell.json;
  });
  CLI::App* pages = app.add_subcommand("man", "Write the man pages into a folder");
  pages->add_option("DIR", all.shell.dir, "E.g. ~/.local/share/man/man1")->required();
  add_json(pages, all.shell.json);
  pages->callback([&app, &all, &chosen] {
    chosen.run = [&app, &all](Ui& ui) { return man(all.shell, describe(app), ui); };
    chosen.json = &all.shell.json;
  });
}

void wire_doctor(CLI::App& app, AllOptions& all, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("doctor", "Say what on this machine will work, and what not");
  verb->add_option("URL", all.doctor.url, "A run to join (default: the default recipe's needs)");
  add_dir(verb, all.doctor.common);
  add_trainer(verb, all.doctor.common);
  add_json(verb, all.doctor.common.json);
  choose(verb, chosen, all.doctor, all.doctor.common.json, doctor);
}

void wire_token(CLI::App& app, AllOptions& all, Chosen& chosen) {
  TokenOptions& o = all.token;
  CLI::App* token = app.add_subcommand("token", "Let Hugging Face tools write in your name");
  token->require_subcommand(1);
  struct TokenVerb {
    const char* name;
    const char* help;
    Exit (*run)(const TokenOptions&, Ui&);
  };
  for (const TokenVerb& one : {TokenVerb{"new", "Make a token", token_new},
                               TokenVerb{"list", "Show your tokens", token_list},
                               TokenVerb{"revoke", "Take a token back", token_revoke}}) {
    CLI::App* verb = token->add_subcommand(one.name, one.help);
    verb->add_option("--hub", o.hub, "http://host:port")->required();
    if (one.run == token_new) {
      verb->add_option("--namespace", o.space, "Your repositories will be NAMESPACE/…");
      verb->add_option("--name", o.name, "What you will know it by (default: token)");
    }
    if (one.run == token_revoke) {
      verb->add_option("TOKEN", o.token, "The token, or the first digits of its id")->required();
    }
    verb->add_option("--key", o.common.key,
                     "Your key file (default: ~/.config/harambee/key.pem, made on first use)");
    add_dir(verb, o.common);
    add_json(verb, o.common.json);
    choose(verb, chosen, o, o.common.json, one.run);
  }
}

void wire_key(CLI::App& app, AllOptions& all, Chosen& chosen) {
  CLI::App* key = app.add_subcommand("key", "Make or show a key");
  key->require_subcommand(1);
  struct KeyVerb {
    const char* name;
    const char* help;
    Exit (*run)(const KeyOptions&, Ui&);
  };
  for (const KeyVerb& one :
       {KeyVerb{"new", "Make a key file", key_new}, KeyVerb{"show", "Show a key's id", key_show}}) {
    CLI::App* verb = key->add_subcommand(one.name, one.help);
    verb->add_option("FILE", all.key.file, "The key file (default: ~/.config/harambee/key.pem)");
    add_json(verb, all.key.json);
    choose(verb, chosen, all.key, all.key.json, one.run);
  }
}

void wire_hub(CLI::App& app, AllOptions& all, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("hub", "Serve a log and its blobs");
  verb->add_option("--data", all.hub.data, "Data directory, made if it is not there")->required();
  verb->add_option("--listen", all.hub.listen, "ADDRESS:PORT (default: 127.0.0.1:8080)");
  verb->add_option("--origin", all.hub.origin, "Name of a new log, e.g. example.org/harambee");
  verb->add_option("--tick-ms", all.hub.tick_ms, "Shortest log time between ticks")
      ->check(CLI::Range(10, 3'600'000));
  verb->add_option("--upload-gb", all.hub.upload_gb,
                   "What each owner of tokens may upload, in GiB (default: 64; 0: nothing)")
      ->check(CLI::Range(0, 1 << 20));
  verb->add_option("--writes-per-minute", all.hub.writes_per_minute,
                   "What one address may send: records and uploads (default: 600; 0: no limit)")
      ->check(CLI::Range(0, 60'000));
  verb->add_flag("--behind-proxy", all.hub.behind_proxy,
                 "Requests come from a proxy of yours: X-Forwarded-For says for whom");
  verb->add_option("--completions", all.hub.completions,
                   "http://host:port of a server of the model (harambee serve, llama-server), "
                   "which the dashboard lets people try");
  add_json(verb, all.hub.json);
  choose(verb, chosen, all.hub, all.hub.json, hub);
}

void wire_recipe(CLI::App& app, AllOptions& all, Chosen& chosen) {
  CLI::App* recipe = app.add_subcommand("recipe", "Show recipes");
  recipe->require_subcommand(1);
  CLI::App* show = recipe->add_subcommand("show", "Check a recipe file and show it in full");
  show->add_option("FILE", all.recipe.file, "Recipe (TOML)")->required();
  add_json(show, all.recipe.json);
  choose(show, chosen, all.recipe, all.recipe.json, recipe_show);
  CLI::App* standard = recipe->add_subcommand("default", "Print the default recipe as TOML");
  add_json(standard, all.recipe.json);
  choose(standard, chosen, all.recipe, all.recipe.json, recipe_default);
}

void wire_simulate(CLI::App& app, AllOptions& all, Chosen& chosen) {
  SimulateOptions& o = all.simulate;
  CLI::App* verb = app.add_subcommand("simulate", "Try the protocol with many peers, under faults");
  verb->add_option("--seed", o.seed, "Everything is drawn from it (default: 1)");
  verb->add_option("--seeds", o.seeds, "So many seeds, one after the other (default: 1)")
      ->check(CLI::Range(1, 1'000'000'000));
  verb->add_option("--peers", o.peers, "Members of the run (default: 24)")
      ->check(CLI::Range(4, 100'000));
  verb->add_option("--rounds", o.rounds, "Rounds of the run (default: 8)")
      ->check(CLI::Range(1, 100'000));
  verb->add_option("--faults", o.faults, "all, none, or a list (docs/simulator.md)");
  verb->add_option("--log", o.log, "Write one line an event to this file");
  add_json(verb, o.json);
  choose(verb, chosen, o, o.json, simulate);
}

void wire_run(CLI::App& app, AllOptions& all, Chosen& chosen) {
  RunOpenOptions& o = all.run_open;
  CLI::App* run = app.add_subcommand("run", "Open a run");
  run->require_subcommand(1);
  CLI::App* verb = run->add_subcommand("open", "Open a run on a hub from text");
  verb->add_option("--hub", o.hub, "http://host:port")->required();
  verb->add_option("--text", o.text,
                   "Text files and folders; NAME=PATH: of the guarded domain NAME")
      ->required();
  verb->add_option("--recipe", o.recipe, "Recipe file, TOML (default: the default recipe)");
  verb->add_option("--weights", o.weights,
                   "Begin with these weights (safetensors, as `pull` writes them) instead of "
                   "training first ones");
  verb->add_option("--name", o.name, "Name of the run on the log (default: run)");
  verb->add_option("--coordinator", o.coordinator, "Key id (default: your own key)");
  verb->add_option("--validator", o.validators, "Key id; may be repeated (default: your own key)");
  verb->add_option("--shards", o.shards, "Shards of the training text (default: 64)")
      ->check(CLI::Range(1, 4000));
  verb->add_option("--text-mb-max", o.text_mb_max, "Take at most so many MB (default: 256)")
      ->check(CLI::Range(1, 8192));
  add_dir(verb, o.common);
  add_key(verb, o.common);
  add_trainer(verb, o.common);
  add_json(verb, o.common.json);
  choose(verb, chosen, o, o.common.json, run_open);
}

void wire_baseline(CLI::App& app, AllOptions& all, Chosen& chosen) {
  BaselineOptions& o = all.baseline;
  CLI::App* verb =
      app.add_subcommand("baseline", "Put what another training reached beside a run of yours");
  verb->add_option("URL", o.url, "http://host:port/runs/NAME")->required();
  verb->add_option("FILE", o.file,
                   "CSV with columns loss (nats) and tokens or round, or JSON: a list of objects "
                   "with these members")
      ->required();
  verb->add_option("--label", o.label, "What it is called (default: the file's name)");
  add_dir(verb, o.common);
  add_key(verb, o.common);
  add_json(verb, o.common.json);
  choose(verb, chosen, o, o.common.json, baseline);
}

void wire_agents(CLI::App& app, AllOptions& all, Chosen& chosen) {
  AgentOptions& o = all.agent;
  struct Agent {
    const char* name;
    const char* help;
    Exit (*run)(const AgentOptions&, Ui&);
  };
  for (const Agent& agent : {Agent{"join", "Train in a run with this machine", join},
                             Agent{"validate", "Score the contributions of a run", validate},
                             Agent{"coordinate", "Close the rounds of a run", coordinate}}) {
    CLI::App* verb = app.add_subcommand(agent.name, agent.help);
    verb->add_option("URL", o.url, "http://host:port/runs/NAME")->required();
    verb->add_option("--rounds", o.rounds, "Stop after so many rounds of one's own");
    verb->add_option("--vkey", o.vkey, "The hub's key; another one is refused");
    if (agent.run == join) {
      verb->add_option("--misbehave", o.misbehave,
                       "Be dishonest, to see it caught: sign-flip, noise, withhold, malformed, "
                       "lazy, other-data, amplified");
    }
    if (agent.run == validate) add_audit_trainer(verb, o.audit_trainers);
    if (agent.run == coordinate) {
      verb->add_option("--sample-every", o.sample_every,
                       "Let the model write every N rounds; 0: never (default: at each whole "
                       "model on the hub)")
          ->check(CLI::Range(0, 1 << 20));
      verb->add_option("--sample-prompt", o.sample_prompts,
                       "What it goes on from; may be repeated (default: nothing)");
    }
    add_dir(verb, o.common);
    add_key(verb, o.common);
    add_trainer(verb, o.common);
    add_json(verb, o.common.json);
    choose(verb, chosen, o, o.common.json, agent.run);
  }
}

void wire_reading(CLI::App& app, AllOptions& all, Chosen& chosen) {
  ReadOptions& o = all.read;
  struct Reading {
    const char* name;
    const char* help;
    Exit (*run)(const ReadOptions&, Ui&);
  };
  for (const Reading& reading : {Reading{"status", "Show a run as it stands", status},
                                 Reading{"credits", "Show who is owed what", credits},
                                 Reading{"explain",
                                         "Say why a key, record or round stands where "
                                         "it stands",
                                         explain}}) {
    CLI::App* verb = app.add_subcommand(reading.name, reading.help);
    verb->add_option("URL", o.url, "http://host:port/runs/NAME")->required();
    if (reading.run == explain) {
      verb->add_option("WHAT", o.what, "KEY, RECORD (or their first digits), or: round N");
    }
    add_dir(verb, o.common);
    add_json(verb, o.common.json);
    choose(verb, chosen, o, o.common.json, reading.run);
  }
}

void wire_dispute(CLI::App& app, AllOptions& all, Chosen& chosen) {
  DisputeOptions& o = all.dispute;
  CLI::App* verb = app.add_subcommand("dispute", "Have all auditors train a contribution again");
  verb->add_option("URL", o.url, "http://host:port/runs/NAME")->required();
  verb->add_option("RECORD", o.record, "The contribution's id, or its first digits")->required();
  verb->add_option("--key", o.common.key, "A member's key file (default: that of join)");
  add_dir(verb, o.common);
  add_json(verb, o.common.json);
  choose(verb, chosen, o, o.common.json, dispute);
}

void wire_verify(CLI::App& app, AllOptions& all, Chosen& chosen) {
  VerifyVerbOptions& o = all.verify;
  CLI::App* verb = app.add_subcommand("verify", "Replay a log from its first entry");
  CLI::Option* url = verb->add_option("URL", o.url, "http://host:port[/runs/NAME]");
  verb->add_option("--data", o.data, "A hub's data directory, without the hub")->excludes(url);
  verb->add_option("--retrain", o.retrain, "Train N contributions again, or all");
  verb->add_flag("--retrain-start", o.retrain_start, "Train the first weights again");
  verb->add_flag("--audits", o.audits, "Do all logged audits once more");
  add_audit_trainer(verb, o.audit_trainers);
  verb->add_option("--rescore", o.rescore, "Evaluate N score records again");
  verb->add_option("--samples", o.samples,
                   "Let the model write N samples of its text again, the newest among them");
  verb->add_flag("--no-weights", o.no_weights, "Only log and blobs, no replay of the weights");
  verb->add_option("--seed", o.seed, "64 hex digits that choose (default: the log's root)");
  verb->add_option("--vkey", o.vkey, "The key that the log must have");
  add_dir(verb, o.common);
  add_trainer(verb, o.common);
  add_json(verb, o.common.json);
  choose(verb, chosen, o, o.common.json, verify);
}

void wire_model(CLI::App& app, AllOptions& all, Chosen& chosen) {
  CLI::App* get = app.add_subcommand("pull", "Write a run's model as a Hugging Face directory");
  get->add_option("URL", all.pull.url, "http://host:port/runs/NAME[@round]")->required();
  get->add_option("DIR", all.pull.out, "The directory to write")->required();
  get->add_option("--gguf", all.pull.gguf, "Write model-TYPE.gguf for llama.cpp too")
      ->check(CLI::IsMember({"f32", "f16", "q8_0"}));
  add_dir(get, all.pull.common);
  add_json(get, all.pull.common.json);
  choose(get, chosen, all.pull, all.pull.common.json, pull);

  GenerateOptions& o = all.generate;
  CLI::App* say = app.add_subcommand("generate", "Let a model write");
  say->add_option("DIR", o.model, "A directory that `pull` wrote")->required();
  say->add_option("--prompt", o.prompt, "Text to go on from");
  say->add_option("--bytes", o.bytes, "How much to write (default: 256)")
      ->check(CLI::Range(1, 1 << 20));
  say->add_option("--temperature", o.temperature, "0: always the likeliest (default: 0.8)");
  say->add_option("--seed", o.seed, "64 hex digits (default: random)");
  add_trainer(say, o.common);
  add_json(say, o.common.json);
  choose(say, chosen, o, o.common.json, generate);

  CLI::App* server = app.add_subcommand("serve", "Serve a model over OpenAI's API");
  server->add_option("DIR", all.serve.model, "A directory that `pull` wrote")->required();
  server->add_option("--listen", all.serve.listen, "ADDRESS:PORT (default: 127.0.0.1:8081)");
  server->add_option("--name", all.serve.name, "Name of the model (default: the directory's)");
  add_trainer(server, all.serve.common);
  add_json(server, all.serve.common.json);
  choose(server, chosen, all.serve, all.serve.common.json, serve_model);
}

void wire_rest(CLI::App& app, AllOptions& all, Chosen& chosen) {
  CLI::App* test = app.add_subcommand("conformance", "Test any trainer command: -- CMD…");
  test->add_option("CMD", all.conformance.command, "The command and its arguments")->required();
  test->positionals_at_end();
  add_dir(test, all.conformance.common);
  add_json(test, all.conformance.common.json);
  choose(test, chosen, all.conformance, all.conformance.common.json, conformance);

  DemoOptions& o = all.demo;
  CLI::App* show = app.add_subcommand("demo", "A whole run on this machine, from text to model");
  show->add_option("--text", o.text, "Text files and folders (default: what lies around)");
  show->add_option("--dir", o.dir, "Where everything is kept (default: ./demo-run)");
  show->add_option("--volunteers", o.volunteers, "How many (default: 4)");
  show->add_option("--rounds", o.rounds, "How many rounds");
  show->add_option("--seconds", o.seconds, "How long it may take");
  show->add_option("--threads", o.threads, "Processor cores to count on (default: all)");
  show->add_option("--seed", o.seed, "Another number gives another run (default: 1)");
  auto* resume = show->add_flag("--resume", o.resume, "Go on with what is in DIR");
  show->add_flag("--fresh", o.fresh, "Delete the demo in DIR and begin anew")->excludes(resume);
  add_json(show, o.json);
  choose(show, chosen, o, o.json, demo);
}

// CLI11's own texts are kept short: what is wrong, and what was meant perhaps.
Exit usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv, Ui& ui) {
  std::string what = error.what();
  if (argc > 1 && argv[1][0] != '-') {
    std::vector<std::string> verbs;
    for (const CLI::App* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
    bool known = std::find(verbs.begin(), verbs.end(), argv[1]) != verbs.end();
    if (!known) {
      std::string near = nearest(argv[1], verbs);
      what = "there is no verb \"" + std::string(argv[1]) + "\"";
      if (!near.empty()) what += "; did you mean \"" + near + "\"?";
    }
  }
  return ui.fail(kUsage, what, {"", "harambee --help, or harambee VERB --help"});
}

Exit run(int argc, char** argv) {
  CLI::App app("Harambee: train open models together, on a log that anybody can check.");
  app.name("harambee");
  app.set_version_flag("--version", std::string("harambee ") + HARAMBEE_VERSION);
  app.require_subcommand(1);
  AllOptions all;
  Chosen chosen;
  wire_rest(app, all, chosen);
  wire_key(app, all, chosen);
  wire_token(app, all, chosen);
  wire_hub(app, all, chosen);
  wire_recipe(app, all, chosen);
  wire_run(app, all, chosen);
  wire_baseline(app, all, chosen);
  wire_simulate(app, all, chosen);
  wire_agents(app, all, chosen);
  wire_reading(app, all, chosen);
  wire_dispute(app, all, chosen);
  wire_verify(app, all, chosen);
  wire_model(app, all, chosen);
  wire_doctor(app, all, chosen);
  wire_shell(app, all, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);
    return kOk;
  } catch (const CLI::ParseError& error) {
    Ui ui(false);
    return usage_error(app, error, argc, argv, ui);
  }
  Ui ui(*chosen.json);
  return chosen.run(ui);
}

}  // namespace
}  // namespace harambee::cli

int main(int argc, char** argv) {
  try {
    return harambee::cli::run(argc, argv);
  } catch (const std::exception& error) {
    // A bug of ours or no memory left; state on disk is always whole.
    std::fprintf(stderr, "harambee: unexpected failure: %s\n", error.what());
    return harambee::cli::kBug;
  }
}
