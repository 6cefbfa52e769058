#include "pg/inbox/inbox_receive.hpp"

#include "pg/bridge/datum.hpp"
#include "pg/bridge/scope.hpp"
#include "pg/config.hpp"
#include "pg/inbox/inbox_store.hpp"
#include "pg/inbox/receiving.hpp"
#include "pg/worker/wake.hpp"

namespace billstack::pg {

namespace {

constexpr std::size_t largest_body = 16 << 20;
constexpr std::int64_t tolerance_s = 300; // Stripe's own default; never a setting
// A queue that looks full is counted again this often at most: counting takes time.
constexpr std::int64_t recount_every_us = 10 * USECS_PER_SEC;

// What receive_event needs of UserContext, without its cost for each event: the functions that end
// here pin search_path themselves.
class OwnerRights {
  public:
    explicit OwnerRights(Oid owner) {
        GetUserIdAndSecContext(&role_, &flags_);
        SetUserIdAndSecContext(owner, flags_ | SECURITY_LOCAL_USERID_CHANGE);
    }
    ~OwnerRights() { SetUserIdAndSecContext(role_, flags_); }
    OwnerRights(const OwnerRights &) = delete;
    OwnerRights &operator=(const OwnerRights &) = delete;

  private:
    Oid role_ = InvalidOid;
    int flags_ = 0;
};

Refusal refusal_of(stripe::SignatureVerdict verdict) {
    using stripe::SignatureVerdict;
    switch (verdict) {
    case SignatureVerdict::valid:
        return Refusal::none;
    case SignatureVerdict::empty_header:
        return Refusal::empty_header;
    case SignatureVerdict::malformed:
        return Refusal::malformed;
    case SignatureVerdict::no_timestamp:
        return Refusal::no_timestamp;
    case SignatureVerdict::no_v1:
        return Refusal::no_v1;
    case SignatureVerdict::mismatch:
        return Refusal::mismatch;
    case SignatureVerdict::too_old:
        return Refusal::too_old;
    case SignatureVerdict::too_new:
        return Refusal::too_new;
    }
    return Refusal::mismatch;
}

const char *hint_for(Refusal refusal) {
    switch (refusal) {
    case Refusal::mismatch:
        return "Pass the body byte for byte as it came, and store the signing secret of this "
               "endpoint with billstack.set_webhook_secret().";
    case Refusal::too_old:
        return "Pass an event on within 5 minutes, and compare this server's clock with the true "
               "time; Stripe signs each attempt anew.";
    case Refusal::too_new:
        return "Compare this server's clock with the true time.";
    default:
        return "Pass the value of the Stripe-Signature header as it came.";
    }
}

[[noreturn]] void refuse_without_secret(const Receiving &receiving, TimestampTz now) {
    bool placeholder = receiving.secret_state == "placeholder";
    note_refused(receiving.id, placeholder ? Refusal::placeholder_secret : Refusal::no_secret, now);
    throw core::Error(core::Code::bad_credential,
                      "integration \"" + receiving.name + "\" of team \"" + receiving.team +
                          "\" has no webhook secret",
                      placeholder ? "What is stored is a placeholder, so no event can be verified "
                                    "and all are refused."
                                  : "Without one no event can be verified, so all are refused.",
                      "Store the endpoint's signing secret (whsec_...) with "
                      "billstack.set_webhook_secret().");
}

void verify(const Receiving &receiving, std::string_view header, std::string_view body,
            TimestampTz now) {
    std::array<std::string_view, 4> live;
    std::size_t count = 0;
    if (receiving.secret_state == "set") {
        for (const ReceivingSecret &secret : receiving.secrets) {
            if (count < live.size() && (!secret.valid_until || now < *secret.valid_until)) {
                live[count++] = secret.bytes.view();
            }
        }
    }
    if (count == 0) {
        refuse_without_secret(receiving, now);
    }
    std::int64_t now_s = unix_us_from_timestamp(now) / USECS_PER_SEC;
    stripe::SignatureVerdict verdict =
        stripe::verify_signature(header, body, {live.data(), count}, now_s, tolerance_s);
    if (verdict != stripe::SignatureVerdict::valid) {
        Refusal refusal = refusal_of(verdict);
        note_refused(receiving.id, refusal, now);
        throw core::Error(core::Code::bad_credential, "webhook signature is not valid",
                          stripe::describe(verdict), hint_for(refusal));
    }
}

// --- caps ----------------------------------------------------------------------------------------

bool is_full(const QueueSize &size, std::int64_t body) {
    return size.rows >= config::inbox_max_rows() || size.bytes + body > config::inbox_max_bytes();
}

[[noreturn]] void refuse_full(const Receiving &receiving, const std::string &what) {
    throw core::Error(core::Code::cap_reached,
                      "the inbox of integration \"" + receiving.name + "\" of team \"" +
                          receiving.team + "\" is full",
                      what,
                      "Try again later, as Stripe does by itself; billstack.health() tells whether "
                      "events are being applied.");
}

QueueSize recount(std::int32_t integration) {
    QueueSize in_table = count_queue(integration);
    QueueSize own = own_pending(integration);
    (void)set_queue_size(integration, {in_table.rows - own.rows, in_table.bytes - own.bytes});
    return in_table;
}

// Without shared memory no worker empties the inbox, so its size on disk is the measure: looked at
// once a transaction, plus what this one has added.
void check_disk(const Receiving &receiving, std::int64_t body) {
    static LocalTransactionId looked_in = InvalidLocalTransactionId;
    static std::int64_t on_disk = 0;
    if (looked_in != own_local_transaction()) {
        on_disk = inbox_relation_bytes();
        looked_in = own_local_transaction();
    }
    if (on_disk + own_pending(receiving.id).bytes + body > config::inbox_max_bytes()) {
        refuse_full(receiving, "The inbox takes up billstack.inbox_max_bytes on disk, and without "
                               "billstack in shared_preload_libraries nothing empties it.");
    }
}

void check_caps(const Receiving &receiving, std::int64_t body) {
    std::optional<QueueSize> size = queue_size(receiving.id);
    if (!size && !has_place(receiving.id)) {
        check_disk(receiving, body);
        return;
    }
    if (!size) {
        size = recount(receiving.id);
    }
    if (is_full(*size, body) && may_recount(receiving.id, recount_every_us)) {
        size = recount(receiving.id);
    }
    if (is_full(*size, body)) {
        refuse_full(receiving,
                    "It holds " + std::to_string(size->rows) + " events of " +
                        std::to_string(size->bytes / 1024) + " kB; billstack.inbox_max_rows is " +
                        std::to_string(config::inbox_max_rows()) + ", billstack.inbox_max_bytes " +
                        std::to_string(config::inbox_max_bytes() / 1024) + " kB.");
    }
}

// --- the row -------------------------------------------------------------------------------------

// False for a duplicate.
bool store(const Receiving &receiving, const stripe::EventHead &head, TimestampTz now,
           Datum payload) {
    OwnerRights owner(receiving.extension_owner);
    SpiSession spi;
    return insert_event({receiving.id, head.id, head.type,
                         timestamp_from_unix(fits_timestamp(head.created) ? head.created : 0), now,
                         payload});
}

std::string_view detoast(Datum &body) {
    Datum value = body;
    // Of the size as it will be: a compressed body of gigabytes is not unpacked.
    Size size = call([&] { return toast_raw_datum_size(value) - VARHDRSZ; });
    if (size > largest_body) {
        throw core::Error(core::Code::bad_argument, "webhook body is larger than 16 MiB",
                          "Stripe's events are far smaller.");
    }
    auto *packed =
        call([&] { return reinterpret_cast<struct varlena *>(PG_DETOAST_DATUM_PACKED(value)); });
    body = PointerGetDatum(packed);
    return {VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed)};
}

// Once the signature is checked: what is stored holds no card number. body becomes the masked one.
void mask_card_data(Datum &payload, std::string_view &body) {
    if (!json::may_hold_card_data(body)) {
        return;
    }
    std::string masked(body);
    if (json::mask_card_data(masked) != 0) {
        payload = bytes_datum(masked);
        body = {VARDATA_ANY(DatumGetPointer(payload)), masked.size()};
    }
}

} // namespace

Receipt receive_event(const Delivery &delivery) {
    TimestampTz now = GetCurrentTimestamp(); // not the transaction's start, which may be long ago
    const Receiving &receiving = require_receiving(delivery.team, delivery.integration);
    Datum payload = delivery.body;
    std::string_view body = detoast(payload);
    verify(receiving, delivery.signature, body, now);
    mask_card_data(payload, body);
    stripe::EventHead head = stripe::read_event_head(body);
    auto size = static_cast<std::int64_t>(body.size());
    check_caps(receiving, size);
    Receipt receipt{std::move(head.id), false, now};
    head.id = receipt.event_id;
    receipt.duplicate = !store(receiving, head, now, payload);
    if (receipt.duplicate) {
        note_duplicate(receiving.id, now);
    } else {
        ForceSyncCommit();
        note_accepted(receiving.id, size, now);
        wake_inbox_at_commit();
    }
    return receipt;
}

} // namespace billstack::pg
