// Calls that change something at Stripe, and reads whose answer is to be in the mirror: the way
// every billing function takes. What has become of a write is in billstack.calls.
#pragma once
#include "pg/team/integration_store.hpp"
#include "pg/worker/requests.hpp"

namespace billstack::pg {

struct StripeWrite {
    std::string operation;  // "create_customer": shown in view calls
    std::string project_id; // empty: of no project
    std::string method = "POST";
    std::string path; // segments encoded, see stripe::encode_path_segment()
    stripe::Params params;
    std::optional<std::string> caller_key; // the argument idempotency_key, unchecked
    const stripe::Kind *kind = nullptr;    // of the answered object; nullptr: not mirrored
    // Calls of the operation with this text are the same one, whatever their parameters: who makes
    // it with others while the first is under way, or its outcome is not known, gets its object.
    std::optional<std::string> same_as;
    bool creates = true; // the object is new: its metadata name the write, so that one whose
                         // answer was lost is found again
};

struct StripeObject {
    std::string id; // "" when the answer has none
    std::string body;
};

// One call, one object: repeated after a rollback, a cancel or a crash it gives the same object;
// repeated after a commit it is another write, unless caller_key is given. The object is in the
// mirror and the project rows afterwards, in the caller's transaction. Throws
// core::Error(stripe_*), bad_argument for a caller_key that is no key or was used with other
// parameters; PgError for cancel. What a cancelled call asks for is carried out all the same.
StripeObject write_to_stripe(const Integration &integration, const StripeWrite &write);

// Reads an object ("/v1/customers/cus_1") or a list; what is of `kind` goes into the mirror and the
// project rows. Returns the body. Throws like write_to_stripe().
std::string read_from_stripe(const Integration &integration, const std::string &path,
                             const stripe::Params &params, const stripe::Kind *kind);

} // namespace billstack::pg
