#include "hub/page.h"

namespace harambee::hub {

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

std::string front_page(const PageFacts& facts) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<title>Harambee hub</title>"
      "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;"
      "padding:0 1rem}code{word-break:break-all}.bad{color:#a00}</style></head><body>\n"
      "<h1>Harambee hub</h1>\n"
      "<p>People train open models together here. This hub keeps a public log of signed records "
      "and the files they name. It can delay; it cannot forge.</p>\n";
  if (facts.damage) {
    out += "<p class=\"bad\"><strong>Read-only:</strong> " + escape_html(*facts.damage) + "</p>\n";
  }
  out += "<p>Log <code>" + escape_html(facts.origin) + "</code>, " + std::to_string(facts.size) +
         " entries. Key <code>" + escape_html(facts.vkey) + "</code></p>\n<h2>Runs</h2>\n";
  if (facts.runs.empty()) out += "<p>None yet.</p>\n";
  if (!facts.runs.empty()) {
    out += "<ul>\n";
    for (const auto& run : facts.runs) {
      const std::string name = escape_html(run.name);
      out += "<li><a href=\"/runs/" + name + "\">" + name + "</a></li>\n";
    }
    out += "</ul>\n";
  }
  out +=
      "<h2>For programs</h2>\n<ul><li><a href=\"/checkpoint\">/checkpoint</a> the signed size and "
      "root of the log (C2SP tlog-checkpoint)</li>"
      "<li><a href=\"/tile/entries/000\">/tile/…</a> the log itself (C2SP tlog-tiles)</li>"
      "<li><a href=\"/runs\">/runs</a> the runs as JSON</li>"
      "<li><a href=\"/health\">/health</a></li></ul>\n</body></html>\n";
  return out;
}

}  // namespace harambee::hub
