#include "pg/bridge/datum.hpp"

namespace billstack::pg {

bool fits_timestamp(std::int64_t unix_seconds) {
    // Year 1 to 9999: what ISO-8601 can print; the type itself reaches further.
    return unix_seconds >= -62135596800 && unix_seconds <= 253402300799;
}

Datum text_datum(std::string_view text) {
    return call([&] {
        return PointerGetDatum(
            cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
    });
}

Datum bytes_datum(std::string_view bytes) {
    return text_datum(bytes);
} // same layout: a varlena

Datum jsonb_datum(const std::string &json_text) {
    const char *text = json_text.c_str();
    return call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text)); });
}

Datum text_array_datum(const std::vector<std::string> &items) {
    std::vector<Datum> values;
    values.reserve(items.size());
    for (const std::string &item : items) {
        values.push_back(text_datum(item));
    }
    Datum *data = values.data();
    int count = static_cast<int>(values.size());
    return call([&] {
        return PointerGetDatum(construct_array(data, count, TEXTOID, -1, false, TYPALIGN_INT));
    });
}

std::string text_of(Datum text) {
    auto *packed =
        call([&] { return reinterpret_cast<struct varlena *>(PG_DETOAST_DATUM_PACKED(text)); });
    return std::string(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
}

std::string bytes_of(Datum bytea) {
    return text_of(bytea);
}

std::vector<std::string> text_array_of(Datum text_array) {
    Datum *elements = nullptr;
    bool *nulls = nullptr;
    int count = 0;
    call([&] {
        ArrayType *array = DatumGetArrayTypeP(text_array);
        deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
    });
    std::vector<std::string> items;
    for (int i = 0; i < count; ++i) {
        if (nulls[i]) {
            throw core::Error(core::Code::bad_argument, "array element must not be null");
        }
        items.push_back(text_of(elements[i]));
    }
    return items;
}

Datum Args::required(int position, const char *name) const {
    if (is_null(position)) {
        throw core::Error(core::Code::bad_argument,
                          std::string("argument \"") + name + "\" must not be null");
    }
    return fcinfo_->args[position].value;
}

std::string Args::text(int position, const char *name) const {
    return text_of(required(position, name));
}

std::optional<std::string> Args::optional_text(int position) const {
    if (is_null(position)) {
        return std::nullopt;
    }
    return text_of(fcinfo_->args[position].value);
}

core::SecretBytes Args::secret(int position, const char *name) const {
    Datum value = required(position, name);
    auto *packed =
        call([&] { return reinterpret_cast<struct varlena *>(PG_DETOAST_DATUM_PACKED(value)); });
    std::string_view bytes(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
    core::SecretBytes secret = core::SecretBytes::copy_of(bytes);
    if (reinterpret_cast<void *>(packed) != DatumGetPointer(value)) {
        core::wipe_memory(VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
    }
    return secret;
}

std::optional<core::SecretBytes> Args::optional_secret(int position) const {
    if (is_null(position)) {
        return std::nullopt;
    }
    return secret(position, "");
}

bool Args::boolean(int position, const char *name) const {
    return DatumGetBool(required(position, name));
}

std::int32_t Args::integer(int position, const char *name) const {
    return DatumGetInt32(required(position, name));
}

Oid Args::oid(int position, const char *name) const {
    return DatumGetObjectId(required(position, name));
}

std::optional<std::vector<std::string>> Args::optional_text_array(int position) const {
    if (is_null(position)) {
        return std::nullopt;
    }
    return text_array_of(fcinfo_->args[position].value);
}

std::optional<TimestampTz> Args::optional_timestamp(int position) const {
    if (is_null(position)) {
        return std::nullopt;
    }
    return DatumGetTimestampTz(fcinfo_->args[position].value);
}

std::optional<std::string> Args::optional_jsonb_text(int position) const {
    if (is_null(position)) {
        return std::nullopt;
    }
    Datum value = fcinfo_->args[position].value;
    char *text = call([&] { return DatumGetCString(DirectFunctionCall1(jsonb_out, value)); });
    return std::string(text);
}

} // namespace billstack::pg
