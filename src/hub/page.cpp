#include "hub/page.h"

#include "base/decimal.h"
#include "base/encoding.h"
#include "fold/credit.h"
#include "hub/sample_text.h"
#include "hub/web_assets.h"

namespace harambee::hub {

namespace {

// The member as text: strings and integers as they are, everything else as nothing.
std::string text_at(const Json& json, std::string_view key) {
  const Json* member = json.find(key);
  if (!member) return "";
  if (const std::string* text = member->string()) return *text;
  if (const std::int64_t* number = member->integer()) return std::to_string(*number);
  return "";
}

std::string nats_at(const Json& json, std::string_view key) {
  const Json* member = json.find(key);
  const std::int64_t* nanos = member ? member->integer() : nullptr;
  if (!nanos) return "–";
  std::string text = Decimal{*nanos}.str();
  const auto point = text.find('.');
  return point == std::string::npos ? text : text.substr(0, point + 5);
}

std::string credits_at(const Json& json, std::string_view key) {
  const Json* member = json.find(key);
  const std::int64_t* micros = member ? member->integer() : nullptr;
  return fold::MicroCredit(micros ? *micros : 0).str();
}

const JsonArray& rows_at(const Json& json, std::string_view key) {
  static const JsonArray kNone;
  const Json* list = json.find(key);
  if (list && list->object()) list = list->find("rows");
  return list && list->array() ? *list->array() : kNone;
}

std::string link(const std::string& to, const std::string& text) {
  return "<a href=\"" + escape_html(to) + "\">" + escape_html(text) + "</a>";
}

std::string cell(const std::string& html) { return "<td>" + html + "</td>"; }

std::string join_command(const PageFacts& facts, const std::string& name) {
  return "<p>To take part: <code>harambee join " + escape_html(facts.url + "/runs/" + name) +
         "</code></p>\n";
}

std::string standing(const Json& run) {
  const std::string phase = text_at(run, "phase");
  if (phase == "waiting_start" || phase == "waiting for start")
    return "waits for its first weights";
  if (phase == "finished") return "finished after " + text_at(run, "rounds") + " rounds";
  return "round " + text_at(run, "round") + " of " + text_at(run, "rounds") + ", " + phase;
}

std::string loss_text(const Json& run) {
  static const Json kNull;
  const Json* loss = run.find("loss");
  if (!loss) loss = &kNull;
  return nats_at(*loss, "first_nanos") + " → " + nats_at(*loss, "last_nanos") + " nats";
}

// Where the numbers of a view come from.
std::string taken_at(const Json& view) {
  const Json* at = view.find("at");
  if (!at) return "";
  return "<p class=\"at\">As of entry " + text_at(*at, "size") + " of log <code>" +
         escape_html(text_at(*at, "origin")) + "</code>, root <code>" + text_at(*at, "root") +
         "</code></p>\n";
}

std::string without_bundle() {
  if (!web_assets().empty()) return "";
  return "<p class=\"at\">This hub was built without the dashboard. Where Node 18 or newer and npm "
         "are installed, <code>./dev build</code> adds it.</p>\n";
}

std::string member_rows(const Json& view) {
  std::string out;
  const std::string name = text_at(view, "name");
  for (const Json& member : rows_at(view, "members")) {
    const std::string key = text_at(member, "key");
    out += "<tr>" + cell(link("/runs/" + name + "/peers/" + key, key.substr(0, 12))) +
           cell(escape_html(text_at(member, "standing"))) + cell(text_at(member, "accepted")) +
           cell(text_at(member, "rejected")) + cell(credits_at(member, "credit_micros")) +
           cell(escape_html(text_at(member, "reason"))) + "</tr>\n";
  }
  return out;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string whole_page(std::string_view title, const std::string& body, const PageFacts& facts) {
  std::string inner;
  if (facts.damage) {
    inner +=
        "<p class=\"bad\"><strong>Read-only:</strong> " + escape_html(*facts.damage) + "</p>\n";
  }
  inner += body;
  const WebAsset* index = web_asset("index.html");
  std::string page =
      index ? std::string(text(index->bytes))
            : "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
              "<title>Harambee</title><link rel=\"stylesheet\" href=\"/plain.css\"></head><body>"
              "<header><a "
              "href=\"/\">Harambee</a></header><main><!--summary--></main></body></html>\n";
  const auto put = [&page](std::string_view place, const std::string& what) {
    const auto at = page.find(place);
    if (at != std::string::npos) page.replace(at, place.size(), what);
  };
  put("<title>Harambee</title>", "<title>" + escape_html(title) + "</title>");
  put("<!--summary-->", inner + without_bundle());
  return page;
}

std::string map_body(const Json& view, const PageFacts& facts) {
  std::string out =
      "<h1>Harambee hub</h1>\n<p>People train open models together here. This hub keeps a public "
      "log of signed records and the files they name. It can delay; it cannot forge.</p>\n";
  const JsonArray& runs = rows_at(view, "runs");
  out += "<h2>Runs</h2>\n";
  if (runs.empty()) out += "<p>None yet.</p>\n";
  if (!runs.empty()) {
    out += join_command(facts, text_at(runs.front(), "name"));
    out +=
        "<table><thead><tr><th>run</th><th>state</th><th>held-out loss</th><th>members</th></tr>"
        "</thead><tbody>\n";
    for (const Json& run : runs) {
      const std::string name = text_at(run, "name");
      out += "<tr>" + cell(link("/runs/" + name, name)) + cell(escape_html(standing(run))) +
             cell(loss_text(run)) + cell(text_at(run, "active")) + "</tr>\n";
    }
    out += "</tbody></table>\n";
  }
  out += "<p>The log's key is <code>" + escape_html(facts.vkey) + "</code></p>\n" + taken_at(view);
  out +=
      "<h2>For programs</h2>\n<ul><li><a href=\"/checkpoint\">/checkpoint</a> the signed size and "
      "root of the log (C2SP tlog-checkpoint)</li>"
      "<li><a href=\"/tile/entries/000\">/tile/…</a> the log itself (C2SP tlog-tiles)</li>"
      "<li><a href=\"/runs\">/runs</a> the runs as JSON</li>"
      "<li><a href=\"/health\">/health</a></li></ul>\n";
  return out;
}

// What each baseline ended with.
std::string baselines_text(const Json& view) {
  std::string out;
  for (const Json& one : rows_at(view, "baselines")) {
    const JsonArray& points = rows_at(one, "points");
    const JsonArray* last = points.empty() ? nullptr : points.back().array();
    if (!last || last->size() != 2) continue;
    const Json point = JsonObject{{"at", (*last)[0]}, {"loss", (*last)[1]}};
    out += "<li>" + link("/records/" + text_at(one, "id"), text_at(one, "label")) + ": " +
           nats_at(point, "loss") + " nats at " + text_at(point, "at") + " " +
           escape_html(text_at(one, "over")) + "</li>\n";
  }
  return out.empty() ? ""
                     : "<p>To compare with, as the maintainer says:</p>\n<ul>" + out + "</ul>\n";
}

// What an auditor found; how near it came, where bits cannot be compared.
std::string found_text(const Json& found) {
  std::string out = link("/records/" + text_at(found, "id"), text_at(found, "result"));
  const std::string cosine = text_at(found, "cosine");
  if (cosine.empty()) return out;
  return out + ": cosine " + escape_html(cosine) + ", distance " +
         escape_html(text_at(found, "distance"));
}

std::string audit_row(const std::string& run, const Json& audit) {
  const std::string author = text_at(audit, "author");
  std::string found;
  for (const Json& one : rows_at(audit, "found")) {
    found += (found.empty() ? "" : "<br>") + found_text(one);
  }
  return "<tr>" + cell(link("/records/" + text_at(audit, "id"), "#" + text_at(audit, "index"))) +
         cell(link("/runs/" + run + "/peers/" + author, author.substr(0, 12))) +
         cell(text_at(audit, "round")) + cell(escape_html(text_at(audit, "state"))) + cell(found) +
         cell(escape_html(text_at(audit, "reason"))) + "</tr>\n";
}

// The audits of a view, or nothing.
std::string audits_text(const Json& view) {
  const JsonArray& rows = rows_at(view, "audits");
  if (rows.empty()) return "";
  std::string out =
      "<h2>Trained again, to check</h2>\n<table><thead><tr><th>contribution</th><th>by</th>"
      "<th>round</th><th>outcome</th><th>found</th><th>why</th></tr></thead><tbody>\n";
  for (const Json& audit : rows) out += audit_row(text_at(view, "name"), audit);
  out += "</tbody></table>\n";
  const Json* near = view.find("audits")->find("near");
  if (!near) return out;
  return out + "<p class=\"at\">Near is a cosine of at least " +
         escape_html(text_at(*near, "cosine_min")) + " and a relative distance of at most " +
         escape_html(text_at(*near, "distance_max")) +
         "; it is asked where bits cannot be compared.</p>\n";
}

std::string run_body(const Json& view, const PageFacts& facts) {
  const std::string name = text_at(view, "name");
  std::string out = "<h1>Run " + escape_html(name) + "</h1>\n<p>" + escape_html(standing(view)) +
                    ". Held-out loss " + loss_text(view) + ". " + text_at(view, "tokens") +
                    " tokens in accepted contributions.</p>\n" + baselines_text(view) +
                    join_command(facts, name);
  out +=
      "<h2>Contributors</h2>\n<table><thead><tr><th>key</th><th>state</th><th>accepted</th>"
      "<th>rejected</th><th>credits</th><th>reason</th></tr></thead><tbody>\n" +
      member_rows(view) + "</tbody></table>\n" + audits_text(view) + taken_at(view);
  return out;
}

std::string samples_body(const Json& view) {
  const JsonArray& rows = rows_at(view, "samples");
  if (rows.empty()) return "";
  std::string out = "<h2>What it writes</h2>\n";
  for (const Json& sample : rows) {
    const std::string round = text_at(sample, "round");
    out += "<h3>After " + round + (round == "1" ? " round" : " rounds") + "</h3>\n";
    for (const Json& one : rows_at(sample, "texts")) {
      const auto prompt = from_base64(text_at(one, "prompt"));
      const auto said = from_base64(text_at(one, "text"));
      if (!prompt || !said) continue;
      out += "<pre><b>" + escape_html(readable(*prompt)) + "</b>" + escape_html(readable(*said)) +
             "</pre>\n";
    }
    out += "<p class=\"at\">Temperature " + escape_html(text_at(sample, "temperature")) +
           ", the run's own seed; " +
           link("/records/" + text_at(sample, "id"), "entry " + text_at(sample, "index")) +
           "</p>\n";
  }
  return out;
}

std::string detail_body(const Json& view) {
  std::string out;
  if (const Json* explanation = view.find("explanation"); explanation && explanation->object()) {
    out += "<h1>" + escape_html(text_at(*explanation, "subject")) + "</h1>\n<p>" +
           escape_html(text_at(*explanation, "verdict")) + "</p>\n<ul>\n";
    for (const Json& reason : rows_at(*explanation, "reasons")) {
      out += "<li>" + link("/records/" + text_at(reason, "id"), "#" + text_at(reason, "index")) +
             " " + escape_html(text_at(reason, "sentence")) + "</li>\n";
    }
    out += "</ul>\n";
  }
  for (const Json& run : rows_at(view, "runs")) {
    const std::string name = text_at(run, "name");
    out += "<p>In run " + link("/runs/" + name + "/peers/" + text_at(view, "key"), name) + ": " +
           credits_at(run, "credit_micros") + " credits</p>\n";
  }
  if (view.find("envelope")) {
    out += "<h2>Record " + text_at(view, "id") + "</h2>\n<p>Entry " + text_at(view, "index") +
           ", kind " + escape_html(text_at(view, "kind")) + "</p>\n<pre>" +
           escape_html(text_at(view, "envelope")) + "</pre>\n";
  }
  return out + audits_text(view) + taken_at(view);
}

std::string_view plain_style() {
  return "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
         "color-scheme:light dark}code,pre{overflow-wrap:anywhere;white-space:pre-wrap}"
         "td,th{text-align:left;padding:.2rem .8rem .2rem 0}.bad{color:#c00}.at{opacity:.75}\n";
}

}  // namespace harambee::hub
