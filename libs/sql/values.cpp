#include <algorithm>
#include <charconv>

#include "libs/base/assert.hpp"
#include "libs/base/text.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::sql {

Value fromTime(base::WallTime time) {
  // 2026-11-21T10:20:30.123456Z without the Z and with a blank for the T.
  std::string text = base::formatRfc3339(time);
  text[10] = ' ';
  text.pop_back();
  return text;
}

base::Result<base::WallTime> toTime(const Value& value) {
  using namespace std::chrono;
  const auto* text = std::get_if<std::string>(&value);
  constexpr std::size_t kSeconds = 19;
  constexpr std::size_t kMicroseconds = 26;
  if (text == nullptr || (text->size() != kSeconds && text->size() != kMicroseconds)) {
    return base::fail(base::ErrorCode::kInvalid, "is not a DATETIME");
  }
  const auto number = [text](std::size_t at, std::size_t width) {
    return static_cast<int>(base::parseInteger(std::string_view(*text).substr(at, width)).value_or(0));
  };
  const year_month_day date{year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))), day(static_cast<unsigned>(number(8, 2)))};
  const auto micros = microseconds(text->size() == kMicroseconds ? number(20, 6) : 0);
  const base::WallTime time(sys_days(date) + hours(number(11, 2)) + minutes(number(14, 2)) + seconds(number(17, 2)) + micros);
  // What is no such text, or no such time, would be written otherwise.
  if (!date.ok() || date.year() < year(0) || std::get<std::string>(fromTime(time)).substr(0, text->size()) != *text) {
    return base::fail(base::ErrorCode::kInvalid, "is not a DATETIME: " + *text);
  }
  return time;
}

namespace {

// The length of the UTF-8 sequence that begins with this byte, or 0 if none does.
std::size_t sequenceLength(unsigned char first) {
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xC2 && first < 0xE0) {
    return 2;
  }
  if (first >= 0xE0 && first < 0xF0) {
    return 3;
  }
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

bool isSequence(std::string_view bytes) {
  const bool continued =
      std::all_of(bytes.begin() + 1, bytes.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; });
  // Not valid: overlong forms, surrogates and code points above U+10FFFF.
  const auto first = static_cast<unsigned char>(bytes[0]);
  const unsigned char second = bytes.size() > 1 ? static_cast<unsigned char>(bytes[1]) : 0;
  return continued && !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second >= 0xA0) && !(first == 0xF0 && second < 0x90) &&
         !(first == 0xF4 && second >= 0x90);
}

}  // namespace

std::string fit(std::string_view text, std::size_t characters) {
  std::string fitted;
  for (std::size_t count = 0; !text.empty() && count < characters; ++count) {
    const std::size_t length = sequenceLength(static_cast<unsigned char>(text[0]));
    if (length == 0 || length > text.size() || !isSequence(text.substr(0, length)) || text[0] == '\0') {
      fitted.push_back('?');
      text.remove_prefix(1);
      continue;
    }
    fitted.append(text.substr(0, length));
    text.remove_prefix(length);
  }
  return fitted;
}

std::string marks(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += i == 0 ? "?" : ",?";
  }
  return text;
}

base::Result<void> eachIn(Session& session, std::string_view select, const std::vector<Value>& values,
                          const std::function<void(const Row&)>& take) {
  for (auto first = values.begin(); first != values.end();) {
    const auto last = first + std::min<std::ptrdiff_t>(kListMax, values.end() - first);
    const std::vector<Value> piece(first, last);
    TG_TRY(session.each(std::string(select) + " IN (" + marks(piece.size()) + ")", piece, take));
    first = last;
  }
  return {};
}

const Value& Row::value(std::size_t column) const {
  TG_ASSERT(column < cells_.size());
  return cells_[column];
}

bool Row::isNull(std::size_t column) const {
  return std::holds_alternative<std::nullptr_t>(value(column));
}

std::int64_t Row::integer(std::size_t column) const {
  const Value& cell = value(column);
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return *number;
  }
  std::int64_t number = 0;
  if (const auto* text = std::get_if<std::string>(&cell)) {
    std::from_chars(text->data(), text->data() + text->size(), number);
  }
  return number;
}

const std::string& Row::text(std::size_t column) const {
  static const std::string kEmpty;
  const Value& cell = value(column);
  if (const auto* text = std::get_if<std::string>(&cell)) {
    return *text;
  }
  if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    return rendered_.try_emplace(column, std::to_string(*number)).first->second;
  }
  return kEmpty;
}

}  // namespace tollgate::sql
