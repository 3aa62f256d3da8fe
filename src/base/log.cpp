// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fcntl.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <system_error>

#include "base/json.h"
#include "base/signals.h"
#include "base/utf8.h"

namespace fedgate::log {

namespace {

constexpr std::size_t queue_bound = 8192;
constexpr std::size_t value_max = 2048;  // a stranger's text does not fill the disk
constexpr std::string_view cut_mark = "...";
constexpr std::chrono::seconds flush_bound{2};

spdlog::level::level_enum spd_level(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view padded_name(Level level) {
  switch (level) {
    case Level::trace:
      return "TRACE";
    case Level::debug:
      return "DEBUG";
    case Level::info:
      return "INFO ";
    case Level::warning:
      return "WARN ";
    case Level::error:
      return "ERROR";
  }
  return "INFO ";
}

void append_time(std::string& out) {
  using namespace std::chrono;
  const auto now = time_point_cast<microseconds>(system_clock::now());
  const auto day = floor<days>(now);
  const year_month_day date(day);
  const hh_mm_ss time(now - day);
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                    static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  out.append(text.data(), static_cast<std::size_t>(length));
}

void append_escape(std::string& out, char32_t c) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "\\u%04x", static_cast<unsigned>(c & 0xFFFFU));
  out += text.data();
}

// A JSON string that is also safe on a terminal: no control character and no direction mark stands in it.
void append_quoted(std::string& out, std::string_view text) {
  const bool cut = text.size() > value_max;
  if (cut) {
    text = text.substr(0, value_max);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.remove_suffix(1);
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0U) text.remove_suffix(1);
  }
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    const char32_t c = utf8_value(text, i, length);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (unprintable(c)) {
      append_escape(out, c);
    } else {
      out.append(text.substr(i, length));
    }
    i += length;
  }
  if (cut) out += cut_mark;
  out += '"';
}

bool plain(std::string_view text) {
  return !text.empty() && text.size() <= value_max &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '='; });
}

void append_value(std::string& out, const Field& field, Format format) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    if (format == Format::text && plain(*text)) {
      out += *text;
    } else {
      append_quoted(out, *text);
    }
  } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    out += std::to_string(*integer);
  } else if (const auto* number = std::get_if<double>(&field.value)) {
    json::append_number(out, *number);
  } else {
    out += std::get<bool>(field.value) ? "true" : "false";
  }
}

std::string line(Format format, Level level, std::string_view event, std::initializer_list<Field> fields) {
  std::string out;
  out.reserve(256);
  if (format == Format::json) {
    out += R"({"time":")";
    append_time(out);
    out.append(R"(","level":")").append(to_string(level)).append(R"(","event":)");
    append_quoted(out, event);
    for (const Field& field : fields) {
      out += ',';
      append_quoted(out, field.key);
      out += ':';
      append_value(out, field, format);
    }
    return out += "}\n";
  }
  append_time(out);
  out.append(" ").append(padded_name(level)).append(" ");
  std::string quoted;
  append_quoted(quoted, event);
  out.append(quoted, 1, quoted.size() - 2);
  for (const Field& field : fields) {
    out.append(" ").append(field.key).append("=");
    append_value(out, field, format);
  }
  return out += '\n';
}

// Where lines go. Only the logger's own thread writes; a full disk loses lines and stops nobody.
class Output final : public spdlog::sinks::sink {
 public:
  explicit Output(const std::string& file) {
    if (file.empty()) return;
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (descriptor_ < 0) {
      throw std::system_error(errno, std::generic_category(),
                              "the log file " + file + " cannot be opened for appending");
    }
  }
  ~Output() override {
    if (descriptor_ != STDERR_FILENO) ::close(descriptor_);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void log(const spdlog::details::log_msg& message) override {
    std::string_view left(message.payload.data(), message.payload.size());
    while (!left.empty()) {
      const ssize_t written = ::write(descriptor_, left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      left.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void flush() override {
    {
      const std::lock_guard lock(mutex_);
      ++flushed_;
    }
    done_.notify_all();
  }
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

  [[nodiscard]] std::uint64_t flushed() {
    const std::lock_guard lock(mutex_);
    return flushed_;
  }
  void wait_for_flush_after(std::uint64_t before) {
    std::unique_lock lock(mutex_);
    done_.wait_for(lock, flush_bound, [&] { return flushed_ > before; });
  }

 private:
  int descriptor_ = STDERR_FILENO;
  std::mutex mutex_;
  std::condition_variable done_;
  std::uint64_t flushed_ = 0;
};

}  // namespace

Result<Level> level_from(std::string_view text) {
  for (const Level level : {Level::trace, Level::debug, Level::info, Level::warning, Level::error}) {
    if (to_string(level) == text) return level;
  }
  return fail(Code::invalid_configuration,
              "a log level is trace, debug, info, warning or error, not '" + std::string(text.substr(0, 32)) + "'");
}

std::string_view to_string(Level level) {
  switch (level) {
    case Level::trace:
      return "trace";
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "info";
}

struct Logger::Impl {
  explicit Impl(const Options& options)
      : format(options.format),
        output(std::make_shared<Output>(options.file)),
        pool(std::make_shared<spdlog::details::thread_pool>(queue_bound, 1, leave_signals_to_main)),
        logger(std::make_shared<spdlog::async_logger>("fedgate", output, pool,
                                                      spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_level(spd_level(options.level));
  }
  // The pool first: its thread writes what is queued, and still uses the logger.
  ~Impl() { pool.reset(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Says once in a while how many lines the bounded queue has pushed out.
  void tell_of_losses() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    auto due = losses_due.load(std::memory_order_relaxed);
    if (now < due) return;
    const auto next = now + std::chrono::steady_clock::duration(std::chrono::seconds(1)).count();
    if (!losses_due.compare_exchange_strong(due, next, std::memory_order_relaxed)) return;
    const std::uint64_t lost = pool->overrun_counter();
    if (const std::uint64_t told = losses_told.exchange(lost); lost > told) {
      logger->log(spdlog::level::warn,
                  line(format, Level::warning, "log lines were dropped", {{"lines", lost - told}}));
    }
  }

  Format format;
  std::shared_ptr<Output> output;
  std::shared_ptr<spdlog::details::thread_pool> pool;  // of this logger alone; its end writes what is queued
  std::shared_ptr<spdlog::async_logger> logger;
  std::atomic<std::int64_t> losses_due{0};
  std::atomic<std::uint64_t> losses_told{0};
};

Logger::Logger() = default;
Logger::Logger(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
Logger::~Logger() = default;

bool Logger::enabled(Level level) const { return impl_ && impl_->logger->should_log(spd_level(level)); }

void Logger::write(Level level, std::string_view event, std::initializer_list<Field> fields) const {
  if (!enabled(level)) return;
  impl_->logger->log(spd_level(level), line(impl_->format, level, event, fields));
  impl_->tell_of_losses();
}

void Logger::set_level(Level level) {
  if (impl_) impl_->logger->set_level(spd_level(level));
}

void Logger::flush() const {
  if (!impl_) return;
  impl_->losses_due.store(0, std::memory_order_relaxed);
  impl_->tell_of_losses();
  const std::uint64_t before = impl_->output->flushed();
  impl_->logger->flush();
  impl_->output->wait_for_flush_after(before);
}

std::uint64_t Logger::dropped() const { return impl_ ? impl_->pool->overrun_counter() : 0; }

const Logger& silent() {
  static const Logger logger;
  return logger;
}

}  // namespace fedgate::log
