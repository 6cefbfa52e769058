// billstack.webhook_inbox (its trigger), receive_webhook and receive_webhook_raw: three doors to
// one receipt. Each pins search_path by its SET clause, on which the receipt relies.
#include "pg/access/team_access.hpp"
#include "pg/bridge/datum.hpp"
#include "pg/inbox/inbox_receive.hpp"

namespace billstack::pg {

namespace {

// Columns of the view, in order.
enum Column { team = 1, integration, payload, signature, event_id, duplicate, received_at };

Datum required_column(const TriggerData &trigger, Column column, const char *name) {
    bool is_null = true;
    Datum value = call([&] {
        return heap_getattr(trigger.tg_trigtuple, column, RelationGetDescr(trigger.tg_relation),
                            &is_null);
    });
    if (is_null) {
        throw core::Error(core::Code::bad_argument,
                          std::string("column \"") + name + "\" must not be null");
    }
    return value;
}

// The inserted row with what the receipt found out, whatever was given for these columns.
Datum row_of(const TriggerData &trigger, const Receipt &receipt) {
    int columns[] = {event_id, duplicate, received_at};
    Datum values[] = {text_datum(receipt.event_id), BoolGetDatum(receipt.duplicate),
                      TimestampTzGetDatum(receipt.received_at)};
    bool nulls[] = {false, false, false};
    return call([&] {
        return PointerGetDatum(heap_modify_tuple_by_cols(trigger.tg_trigtuple,
                                                         RelationGetDescr(trigger.tg_relation), 3,
                                                         columns, values, nulls));
    });
}

const TriggerData &trigger_of(const Args &args) {
    FunctionCallInfo fcinfo = args.info();
    if (!CALLED_AS_TRIGGER(fcinfo)) {
        throw core::Error(core::Code::not_ready, "this function is the trigger of a view",
                          "It cannot be called by itself.", "Insert into billstack.webhook_inbox.");
    }
    const auto &trigger = *reinterpret_cast<TriggerData *>(fcinfo->context);
    if (!TRIGGER_FIRED_INSTEAD(trigger.tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger.tg_event) ||
        !TRIGGER_FIRED_FOR_ROW(trigger.tg_event) ||
        RelationGetDescr(trigger.tg_relation)->natts != received_at) {
        throw core::Error(core::Code::not_ready,
                          "this function is the INSTEAD OF INSERT trigger of one view");
    }
    return trigger;
}

// Both functions: team, payload, signature, integration.
Datum receive(const Args &args, const char *function_name) {
    require_writable(function_name);
    std::string team_name = args.text(0, "team");
    Datum body = args.value(1, "payload");
    std::string header = args.text(2, "signature");
    std::string integration_name = args.text(3, "integration");
    Receipt receipt = receive_event({team_name, integration_name, body, header});
    json::Node answer = json::Node::object();
    answer.set("received", true)
        .set("eventId", receipt.event_id)
        .set("duplicate", receipt.duplicate);
    return return_jsonb(answer);
}

} // namespace

} // namespace billstack::pg

BILLSTACK_SQL_FUNCTION(billstack_receive_row) {
    using namespace billstack::pg;
    const TriggerData &row = trigger_of(args);
    std::string team_name = text_of(required_column(row, team, "team"));
    std::string integration_name = text_of(required_column(row, integration, "integration"));
    Datum body = required_column(row, payload, "payload");
    std::string header = text_of(required_column(row, signature, "signature"));
    return row_of(row, receive_event({team_name, integration_name, body, header}));
}

BILLSTACK_SQL_FUNCTION(billstack_receive_webhook) {
    return billstack::pg::receive(args, "receive_webhook");
}

BILLSTACK_SQL_FUNCTION(billstack_receive_webhook_raw) {
    return billstack::pg::receive(args, "receive_webhook_raw");
}

// On the tables that a receiving backend remembers (pg/receiving.hpp).
BILLSTACK_SQL_FUNCTION(billstack_note_change) {
    using namespace billstack::pg;
    FunctionCallInfo fcinfo = args.info();
    if (CALLED_AS_TRIGGER(fcinfo)) {
        auto *trigger = reinterpret_cast<TriggerData *>(fcinfo->context);
        call([&] { CacheInvalidateRelcache(trigger->tg_relation); });
    }
    return static_cast<Datum>(0);
}
