#include "shared/obs/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace tidemill {

// Entries form a list that only grows at its head, so readers need no lock.
struct MetricsRegistry::Entry {
  std::string name;
  std::string help;
  MetricLabels labels;
  bool is_counter;
  Counter counter;
  Gauge gauge;
  Entry* next = nullptr;
};

namespace {

void append_escaped(std::string_view text, bool quotes, std::string* out) {
  for (const char c : text) {
    if (c == '\\') {
      out->append("\\\\");
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '"' && quotes) {
      out->append("\\\"");
    } else {
      out->push_back(c);
    }
  }
}

std::string label_text(const MetricLabels& labels) {
  if (labels.empty()) return "";
  std::string out = "{";
  for (const auto& [key, value] : labels) {
    if (out.size() > 1) out.push_back(',');
    out.append(key).append("=\"");
    append_escaped(value, true, &out);
    out.push_back('"');
  }
  out.push_back('}');
  return out;
}

void append_family(std::string_view name, std::string_view help, const char* type,
                   std::string* out) {
  out->append("# HELP ").append(name).push_back(' ');
  append_escaped(help, false, out);
  out->append("\n# TYPE ").append(name).append(type);
}

void append_value(double value, std::string* out) {
  if (std::isnan(value)) {
    out->append("NaN");
  } else if (std::isinf(value)) {
    out->append(value > 0 ? "+Inf" : "-Inf");
  } else {
    char text[32];
    out->append(text, std::to_chars(text, text + sizeof(text), value).ptr);
  }
}

}  // namespace

MetricsRegistry::~MetricsRegistry() {
  for (Entry* e = newest_.load(); e != nullptr;) delete std::exchange(e, e->next);
}

MetricsRegistry::Entry* MetricsRegistry::find(std::string_view name,
                                              const MetricLabels& labels) const {
  for (Entry* e = newest_.load(std::memory_order_acquire); e != nullptr; e = e->next) {
    if (e->name == name && e->labels == labels) return e;
  }
  return nullptr;
}

MetricsRegistry::Entry& MetricsRegistry::find_or_add(std::string_view name, std::string_view help,
                                                     MetricLabels labels, bool is_counter) {
  std::sort(labels.begin(), labels.end());
  std::unique_ptr<Entry> fresh;
  for (;;) {
    Entry* head = newest_.load(std::memory_order_acquire);
    if (Entry* found = find(name, labels)) {
      if (found->is_counter != is_counter) {
        std::fprintf(stderr, "metric %s is registered as a counter and as a gauge\n",
                     found->name.c_str());
        std::abort();
      }
      return *found;
    }
    if (!fresh) {
      fresh = std::make_unique<Entry>();
      fresh->name = name;
      fresh->help = help;
      fresh->labels = labels;
      fresh->is_counter = is_counter;
    }
    fresh->next = head;
    // Fails if another thread has added an entry since `head` was read: look again.
    if (newest_.compare_exchange_strong(head, fresh.get(), std::memory_order_acq_rel)) {
      return *fresh.release();
    }
  }
}

Counter& MetricsRegistry::counter(std::string_view name, std::string_view help,
                                  MetricLabels labels) {
  return find_or_add(name, help, std::move(labels), true).counter;
}

Gauge& MetricsRegistry::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  return find_or_add(name, help, std::move(labels), false).gauge;
}

std::string MetricsRegistry::render() const {
  std::vector<const Entry*> entries;
  for (const Entry* e = newest_.load(std::memory_order_acquire); e != nullptr; e = e->next) {
    entries.push_back(e);
  }
  std::sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) {
    return a->name != b->name ? a->name < b->name : a->labels < b->labels;
  });
  std::string out;
  const std::string* family = nullptr;
  for (const Entry* e : entries) {
    if (family == nullptr || *family != e->name) {
      append_family(e->name, e->help, e->is_counter ? " counter\n" : " gauge\n", &out);
      family = &e->name;
    }
    out.append(e->name).append(label_text(e->labels)).push_back(' ');
    if (e->is_counter) {
      out.append(std::to_string(e->counter.value()));
    } else {
      append_value(e->gauge.value(), &out);
    }
    out.push_back('\n');
  }
  return out;
}

void GaugeText::family(std::string_view name, std::string_view help) {
  name_ = name;
  append_family(name, help, " gauge\n", &text_);
}

void GaugeText::sample(const MetricLabels& labels, double value) {
  text_.append(name_).append(label_text(labels)).push_back(' ');
  append_value(value, &text_);
  text_.push_back('\n');
}

}  // namespace tidemill
