// Avro records into columns: which type goes to which column is in docs/formats/avro.md.
#ifndef NDEBUG
#define NDEBUG
#endif
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "shared/base/calendar.h"
#include "shared/source/avro_input.h"
#include "shared/source/message_decoder.h"
#include "shared/source/nested_columns.h"
#include "shared/source/record_parser.h"
#include "shared/source/values.h"

namespace tidemill {
namespace {

using Kind = AvroType::Kind;
using Logical = AvroType::Logical;

constexpr int kIgnored = -1;

class AvroDecoder : public MessageDecoder {
 public:
  AvroDecoder(std::shared_ptr<const AvroSchema> schema, const proto::Source& source)
      : schema_(std::move(schema)), source_(source), nested_(source) {
    const AvroType& root = schema_->root();
    column_of_field_.assign(root.names.size(), kIgnored);
    for (int column = 0; column < source_.schema_size(); ++column) {
      const auto& name = source_.schema(column).name();
      const auto found = std::find(root.names.begin(), root.names.end(), name);
      if (found == root.names.end()) {
        missing_.push_back(static_cast<size_t>(column));
      } else {
        column_of_field_[static_cast<size_t>(found - root.names.begin())] = column;
      }
    }
  }

  Decoded decode(std::string_view bytes, bool alone, BatchWriter* writer) override;

 private:
  void set_field(int column, uint32_t type, AvroInput* in, BatchWriter* writer);
  void set_value(int column, uint32_t type, AvroInput* in, BatchWriter* writer);
  void set_number(int column, uint32_t type, AvroInput* in, BatchWriter* writer);
  void set_text(int column, uint32_t type, AvroInput* in, BatchWriter* writer);
  void set_bytes_value(int column, uint32_t type, AvroInput* in, BatchWriter* writer);
  void set_decimal(int column, uint32_t type, AvroInput* in, BatchWriter* writer);
  void set_digits(int column, std::string_view text, BatchWriter* writer);
  void set_string(int column, std::string_view text, BatchWriter* writer);
  void set_json(int column, uint32_t type, AvroInput* in, BatchWriter* writer);
  // The column cannot hold values of the type, or not this one: the first such fault counts.
  void mismatch(int column, uint32_t type, AvroInput* in);
  void bad(std::string why) {
    if (done_.why.empty()) done_.why = std::move(why);
  }
  // The record is none, whatever its columns have.
  void refuse(BadReason reason, std::string why) {
    done_.reason = reason;
    done_.why = std::move(why);
  }

  const std::shared_ptr<const AvroSchema> schema_;
  const proto::Source source_;
  NestedColumns nested_;
  std::vector<int> column_of_field_;  // of the schema; kIgnored: none
  std::vector<size_t> missing_;       // columns without a field
  TimestampParser timestamps_;
  Decoded done_;
  size_t json_bytes_ = 0;
  std::string scratch_;
};

Decoded AvroDecoder::decode(std::string_view bytes, bool alone, BatchWriter* writer) {
  AvroInput in(*schema_, bytes);
  done_ = {};
  json_bytes_ = 0;
  for (const size_t column : missing_) writer->set_null(column);
  const AvroType& root = schema_->root();
  const AvroInput::Value record(&in);
  for (size_t i = 0; i < root.types.size(); ++i) {
    const int column = column_of_field_[i];
    if (column == kIgnored) {
      in.skip(root.types[i]);
    } else {
      set_field(column, root.types[i], &in, writer);
    }
    if (!in.ok()) {
      done_.whole = false;
      refuse(BadReason::kUnparsable, "the record is no data of its Avro schema: at field '" +
                                         root.names[i] + "', " + in.fault());
      return std::move(done_);
    }
  }
  done_.size = in.used();
  if (alone && in.used() < bytes.size()) {
    refuse(BadReason::kUnparsable,
           "the record is no data of its Avro schema: " + std::to_string(bytes.size() - in.used()) +
               " bytes are behind its last field");
  } else if (in.used() > kMaxRecordBytes) {
    refuse(BadReason::kOversized, "the record is larger than 1 MB; write smaller records");
  }
  return std::move(done_);
}

void AvroDecoder::mismatch(int column, uint32_t type, AvroInput* in) {
  in->skip_inside(type);
  const proto::Field& field = source_.schema(column);
  bad("column '" + field.name() + "': the record has " + schema_->describe(type) +
      ", the column wants " + type_noun(field.type()));
}

void AvroDecoder::set_field(int column, uint32_t type, AvroInput* in, BatchWriter* writer) {
  const AvroInput::Value value(in);
  if (!in->ok()) return;
  if ((*schema_)[type].kind != Kind::kUnion) return set_value(column, type, in, writer);
  const uint32_t branch = in->branch((*schema_)[type]);
  if (in->ok()) set_field(column, branch, in, writer);
}

void AvroDecoder::set_value(int column, uint32_t type, AvroInput* in, BatchWriter* writer) {
  const AvroType& avro = (*schema_)[type];
  const auto index = static_cast<size_t>(column);
  const ColumnType wanted = writer->type(index);
  if (avro.kind == Kind::kNull) return writer->set_null(index);
  if (wanted == ColumnType::kJson || is_nested(wanted)) return set_json(column, type, in, writer);
  if (avro.logical == Logical::kDecimal) return set_decimal(column, type, in, writer);
  switch (avro.kind) {
    case Kind::kBoolean:
      if (wanted != ColumnType::kBool) return mismatch(column, type, in);
      return writer->set_bool(index, in->boolean());
    case Kind::kInt:
    case Kind::kLong:
      return set_number(column, type, in, writer);
    case Kind::kFloat:
    case Kind::kDouble:
      if (wanted == ColumnType::kDecimal) {
        return set_digits(column, digits_of(avro.kind == Kind::kFloat ? in->single() : in->real()),
                          writer);
      }
      if (wanted != ColumnType::kDouble) return mismatch(column, type, in);
      return writer->set_double(index, avro.kind == Kind::kFloat ? in->single() : in->real());
    case Kind::kString:
    case Kind::kEnum:
      return set_text(column, type, in, writer);
    case Kind::kBytes:
    case Kind::kFixed:
      return set_bytes_value(column, type, in, writer);
    default:
      return mismatch(column, type, in);
  }
}

void AvroDecoder::set_number(int column, uint32_t type, AvroInput* in, BatchWriter* writer) {
  const AvroType& avro = (*schema_)[type];
  const auto index = static_cast<size_t>(column);
  const proto::Field& field = source_.schema(column);
  const bool time = avro.logical != Logical::kNone && avro.logical != Logical::kDate;
  int64_t micros = 0;
  switch (writer->type(index)) {
    case ColumnType::kInt32:
    case ColumnType::kInt64: {
      const int64_t value = in->number();
      if (field.type() == proto::INT32 && !fits_int32(value)) {
        bad(bad_value(field, std::to_string(value)));
      }
      return writer->set_int(index, value);
    }
    case ColumnType::kDouble:
      if (avro.logical != Logical::kNone) return mismatch(column, type, in);
      return writer->set_double(index, static_cast<double>(in->number()));
    case ColumnType::kTimestamp: {
      if (!time) return mismatch(column, type, in);
      const int64_t value = in->number();
      if (!avro_time(avro.logical, value, &micros)) bad(bad_value(field, std::to_string(value)));
      return writer->set_int(index, micros);
    }
    case ColumnType::kDate: {
      if (avro.logical != Logical::kDate) return mismatch(column, type, in);
      const int64_t days = in->number();
      if (days < kLeastTextDay || days > kGreatestTextDay) {
        bad(bad_value(field, std::to_string(days)));
      }
      return writer->set_int(index, days);
    }
    case ColumnType::kDecimal:
      if (avro.logical != Logical::kNone) return mismatch(column, type, in);
      return set_digits(column, std::to_string(in->number()), writer);
    default:
      return mismatch(column, type, in);
  }
}

// A decimal by its text.
void AvroDecoder::set_digits(int column, std::string_view text, BatchWriter* writer) {
  if (!tidemill::set_decimal(static_cast<size_t>(column), text, writer)) {
    bad(bad_value(source_.schema(column), text));
  }
}

void AvroDecoder::set_text(int column, uint32_t type, AvroInput* in, BatchWriter* writer) {
  const AvroType& avro = (*schema_)[type];
  const auto index = static_cast<size_t>(column);
  const proto::Field& field = source_.schema(column);
  int64_t number = 0;
  switch (writer->type(index)) {
    case ColumnType::kString:
      if (avro.kind == Kind::kString) return set_string(column, in->bytes(), writer);
      return writer->set_string(index, writer->keep(in->symbol(avro)));
    case ColumnType::kTimestamp:
    case ColumnType::kDate: {
      if (avro.kind == Kind::kEnum) return mismatch(column, type, in);
      const std::string_view text = in->bytes();
      const bool good = field.type() == proto::DATE ? parse_date(text, &number)
                                                    : timestamps_.parse(text, &number);
      if (!good) bad(bad_value(field, text));
      return writer->set_int(index, number);
    }
    case ColumnType::kDecimal:
      if (avro.kind == Kind::kEnum) return mismatch(column, type, in);
      return set_digits(column, in->bytes(), writer);
    default:
      return mismatch(column, type, in);
  }
}

void AvroDecoder::set_bytes_value(int column, uint32_t type, AvroInput* in, BatchWriter* writer) {
  const AvroType& avro = (*schema_)[type];
  const auto index = static_cast<size_t>(column);
  if (writer->type(index) == ColumnType::kBytes) {
    return writer->set_string(index, avro.kind == Kind::kFixed ? in->take(avro.size) : in->bytes());
  }
  if (writer->type(index) == ColumnType::kString && avro.logical == Logical::kUuid) {
    return writer->set_string(index, writer->keep(in->uuid(avro)));
  }
  return mismatch(column, type, in);
}

void AvroDecoder::set_decimal(int column, uint32_t type, AvroInput* in, BatchWriter* writer) {
  const AvroType& avro = (*schema_)[type];
  const auto index = static_cast<size_t>(column);
  const proto::Field& field = source_.schema(column);
  const ColumnType wanted = writer->type(index);
  if (wanted == ColumnType::kBytes) return set_bytes_value(column, type, in, writer);
  const bool whole = wanted == ColumnType::kInt32 || wanted == ColumnType::kInt64;
  if (wanted != ColumnType::kDouble && wanted != ColumnType::kString &&
      wanted != ColumnType::kDecimal && (!whole || avro.scale != 0)) {
    return mismatch(column, type, in);
  }
  const std::string text = in->decimal(avro);
  if (!in->ok()) return;
  if (!in->value_fault().empty()) {
    return bad("column '" + field.name() + "': " + in->value_fault());
  }
  double real = 0;
  int64_t number = 0;
  if (wanted == ColumnType::kDecimal) {
    set_digits(column, text, writer);
  } else if (wanted == ColumnType::kString) {
    writer->set_string(index, writer->keep(text));
  } else if (wanted == ColumnType::kDouble && parse_double(text, &real)) {
    writer->set_double(index, real);
  } else if (whole && parse_int64(text, &number) &&
             (wanted == ColumnType::kInt64 || fits_int32(number))) {
    writer->set_int(index, number);
  } else {
    bad(bad_value(field, text));
  }
}

void AvroDecoder::set_string(int column, std::string_view text, BatchWriter* writer) {
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    bad(bad_value(source_.schema(column), text));
  }
  writer->set_string(static_cast<size_t>(column), text);
}

void AvroDecoder::set_json(int column, uint32_t type, AvroInput* in, BatchWriter* writer) {
  scratch_.clear();
  const bool nested = nested_.holds(static_cast<size_t>(column));
  in->write_floats_as_doubles(nested);
  in->append_json_inside(type, &scratch_);
  if (!in->ok()) return;
  if (!in->value_fault().empty()) {
    return bad("column '" + source_.schema(column).name() + "': " + in->value_fault());
  }
  json_bytes_ += scratch_.size();
  if (json_bytes_ > kMaxRecordBytes) {
    if (done_.why.empty()) done_.reason = BadReason::kOversized;
    return bad("the JSON text of the record's columns is larger than 1 MB");
  }
  if (!nested) return writer->set_string(static_cast<size_t>(column), writer->keep(scratch_));
  std::string why = nested_.set(static_cast<size_t>(column), scratch_, writer);
  if (!why.empty()) bad(std::move(why));
}

}  // namespace

Result<std::unique_ptr<MessageDecoder>> make_avro_decoder(std::shared_ptr<const AvroSchema> schema,
                                                          const proto::Source& source) {
  if (schema->root().kind != Kind::kRecord) {
    return user_error("the schema is not that of a record");
  }
  return std::unique_ptr<MessageDecoder>(std::make_unique<AvroDecoder>(std::move(schema), source));
}

}  // namespace tidemill
