#include "pg/billing/customer_store.hpp"

#include "crypto/public_id.hpp"
#include "pg/access/internal_access.hpp"
#include "pg/access/unique_store.hpp"
#include "pg/bridge/json_sql_store.hpp"
#include "pg/bridge/spi.hpp"

namespace billstack::pg {

namespace {

constinit Statement select_lower{"SELECT lower($1)"};
constinit Statement insert_reserved{
    "INSERT INTO billstack_internal.project_customer (id, project_id, email, name, metadata, link)"
    " VALUES ($1, $2, $3, $4, $5, 'created')"
    " ON CONFLICT (project_id, (lower(email))) WHERE deleted_at IS NULL DO NOTHING"};
constinit Statement lock_by_email{
    "SELECT c.id, c.stale FROM billstack_internal.project_customer AS c"
    " WHERE c.project_id = $1 AND lower(c.email) = lower($2) AND c.deleted_at IS NULL"
    " FOR NO KEY UPDATE"};
constinit Statement take_over{
    "UPDATE billstack_internal.project_customer SET email = $2, name = coalesce($3, name),"
    " metadata = CASE WHEN $4 = '{}' THEN metadata ELSE $4 END, updated_at = now()"
    " WHERE id = $1"};
constinit Statement update_link{
    "UPDATE billstack_internal.project_customer SET stripe_customer_id = $2, link = $3,"
    " link_detail = $4, name = coalesce(name, $5), stale = false, stale_account = NULL,"
    " stale_livemode = NULL, updated_at = now() WHERE id = $1"};
// Joined with unnest(), here and below: = ANY of a parameter is compared element by element once
// the plan is a generic one.
constinit Statement select_taken{
    "SELECT c.stripe_customer_id FROM unnest($2::text[]) AS n (id)"
    " JOIN billstack_internal.project_customer AS c ON c.stripe_customer_id = n.id"
    " WHERE c.project_id = $1 AND c.deleted_at IS NULL AND NOT c.stale"};

constinit Statement update_customer{
    "UPDATE billstack_internal.project_customer SET email = coalesce($2, email),"
    " name = coalesce($3, name), metadata = coalesce($4, metadata), updated_at = now()"
    " WHERE id = $1"};
constinit Statement update_deleted{
    "UPDATE billstack_internal.project_customer SET deleted_at = now(), updated_at = now()"
    " WHERE id = $1"};
constinit Statement select_live_subscription{
    "SELECT concat(s.id, ' (', s.stripe_subscription_id, ', ', s.status, ')')"
    " FROM billstack_internal.project_subscription AS s WHERE s.customer_id = $1 AND NOT s.stale"
    " AND s.status NOT IN ('canceled', 'incomplete_expired') ORDER BY s.created_at, s.id LIMIT 1"};

#define BILLSTACK_CUSTOMER_JSON                                                                    \
    "jsonb_build_object('id', c.id, 'email', c.email, 'name', c.name,"                             \
    " 'stripeCustomerId', c.stripe_customer_id, 'metadata', c.metadata,"                           \
    " 'projectId', c.project_id, 'link', c.link, 'linkDetail', c.link_detail, 'stale', c.stale,"   \
    " 'createdAt', " BILLSTACK_JSON_TIME("c.created_at") ", 'updatedAt', " BILLSTACK_JSON_TIME(    \
        "c.updated_at") ")"

constinit Statement select_answer{"SELECT jsonb_build_object('customer', " BILLSTACK_CUSTOMER_JSON
                                  ")::text"
                                  " FROM billstack_internal.project_customer AS c WHERE c.id = $1"};
constinit Statement select_list{
    "SELECT jsonb_build_object('customers', coalesce(jsonb_agg(" BILLSTACK_CUSTOMER_JSON
    " ORDER BY c.created_at DESC, c.id), '[]'))::text FROM ("
    "  SELECT * FROM billstack_internal.project_customer"
    "   WHERE project_id = $1 AND deleted_at IS NULL"
    "   ORDER BY created_at DESC, id LIMIT $2 OFFSET $3) AS c"};

#undef BILLSTACK_CUSTOMER_JSON

constinit Statement select_owned{
    "SELECT DISTINCT o.stripe_customer_id FROM unnest($2::text[]) AS n (id)"
    " JOIN billstack_internal.project_customer AS o ON o.stripe_customer_id = n.id"
    " JOIN billstack_internal.project AS p ON p.id = o.project_id"
    " WHERE p.integration_id = $1 AND o.deleted_at IS NULL AND NOT o.stale"};

constinit Statement select_of_others{
    "SELECT DISTINCT o.stripe_customer_id FROM unnest($3::text[]) AS n (id)"
    " JOIN billstack_internal.project_customer AS o ON o.stripe_customer_id = n.id"
    " JOIN billstack_internal.project AS p ON p.id = o.project_id"
    " WHERE p.team = $1 AND p.id <> $2 AND o.deleted_at IS NULL"};

constinit Statement insert_customers{
    "INSERT INTO billstack_internal.project_customer"
    " (id, project_id, email, name, metadata, stripe_customer_id, link)"
    " SELECT n.id, $1, n.email, n.name, n.metadata::jsonb - 'project_id' - 'billstack_intent',"
    " n.stripe_id, 'assigned'"
    " FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY"
    "   AS n (id, stripe_id, email, name, metadata, place) ORDER BY n.place"
    " ON CONFLICT DO NOTHING RETURNING stripe_customer_id"};

constinit Statement select_reasons{
    "SELECT n.stripe_id, CASE WHEN own.id IS NOT NULL"
    "   THEN concat('the project has it already, as ', own.id)"
    "   WHEN same.id IS NOT NULL THEN concat('the project has a customer with its e-mail, ',"
    "   same.id) ELSE 'it was changed at the same time' END"
    " FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n (stripe_id, email, place)"
    " LEFT JOIN billstack_internal.project_customer AS own ON own.project_id = $1"
    "   AND own.stripe_customer_id = n.stripe_id AND own.deleted_at IS NULL AND NOT own.stale"
    " LEFT JOIN billstack_internal.project_customer AS same ON same.project_id = $1"
    "   AND lower(same.email) = lower(n.email) AND same.deleted_at IS NULL"
    " ORDER BY n.place"};

core::Error email_taken(const std::string &email, const std::string &owner) {
    return core::Error(core::Code::exists_already,
                       "a customer with e-mail \"" + email + "\" exists already",
                       "E-mails are unique in a project" +
                           (owner.empty() ? std::string(".") : "; this one is " + owner + "'s."),
                       "Use that customer, or billstack.update_customer().");
}

// text[] with NULLs.
Param param_texts(const std::vector<MirroredCustomer> &customers,
                  std::optional<std::string> MirroredCustomer::*member) {
    std::vector<Datum> values(customers.size(), 0);
    auto nulls = std::make_unique<bool[]>(customers.size());
    for (std::size_t i = 0; i < customers.size(); ++i) {
        const std::optional<std::string> &text = customers[i].*member;
        nulls[i] = !text;
        values[i] = text ? text_datum(*text) : 0;
    }
    Datum *data = values.data();
    bool *missing = nulls.get();
    int size = static_cast<int>(customers.size());
    int lower = 1;
    Datum array = call([&] {
        return PointerGetDatum(
            construct_md_array(data, missing, 1, &size, &lower, TEXTOID, -1, false, TYPALIGN_INT));
    });
    return {TEXTARRAYOID, array, false};
}

Param param_texts(const std::vector<MirroredCustomer> &customers,
                  std::string MirroredCustomer::*member) {
    std::vector<std::string> texts;
    for (const MirroredCustomer &customer : customers) {
        texts.push_back(customer.*member);
    }
    return param_text_array(texts);
}

Param made_ids(std::size_t count) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < count; ++i) {
        ids.push_back(crypto::make_public_id("pc_"));
    }
    return param_text_array(ids);
}

std::set<std::string> first_column(const Rows &rows) {
    std::set<std::string> texts;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        texts.insert(rows.text(row, 1));
    }
    return texts;
}

} // namespace

std::string lower_case(const std::string &text) {
    InternalAccess access;
    return select_lower.run({param(text)}).text(0, 1);
}

std::string reserve_customer(const NewCustomer &customer) {
    std::string id = crypto::make_public_id("pc_");
    InternalAccess access;
    if (!insert_reserved
             .run({param(id), param(customer.project), param(customer.email), param(customer.name),
                   param_jsonb(customer.metadata)})
             .empty()) {
        return id;
    }
    Rows rows = lock_by_email.run({param(customer.project), param(customer.email)});
    if (rows.empty() || !rows.boolean(0, 2)) {
        throw email_taken(customer.email, rows.empty() ? "" : rows.text(0, 1));
    }
    id = rows.text(0, 1);
    (void)take_over.run(
        {param(id), param(customer.email), param(customer.name), param_jsonb(customer.metadata)});
    return id;
}

void link_customer(const std::string &id, const CustomerLink &link) {
    run_unique(
        update_link,
        {param(id), param(link.stripe_id), param(link.link), param(link.detail), param(link.name)},
        core::Error(core::Code::changed_meanwhile,
                    "another customer of the project got Stripe customer \"" + link.stripe_id +
                        "\" at the same time",
                    "", "Try again."));
}

std::set<std::string> taken_stripe_customers(const std::string &project,
                                             const std::vector<std::string> &stripe_ids) {
    InternalAccess access;
    LocalSetting hashed("enable_nestloop", "off"); // no statistics after a bulk insert
    return first_column(select_taken.run({param(project), param_text_array(stripe_ids)}));
}

void change_customer(const std::string &id, const std::optional<std::string> &email,
                     const std::optional<std::string> &name,
                     const std::optional<std::string> &metadata) {
    run_unique(update_customer,
               {param(id), param(email), param(name),
                metadata ? param_jsonb(*metadata) : Param{JSONBOID, 0, true}},
               email_taken(email.value_or(""), ""));
}

void mark_customer_deleted(const std::string &id) {
    InternalAccess access;
    (void)update_deleted.run({param(id)});
}

std::optional<std::string> live_subscription_of(const std::string &customer) {
    InternalAccess access;
    Rows rows = select_live_subscription.run({param(customer)});
    return rows.empty() ? std::nullopt : rows.optional_text(0, 1);
}

std::string customer_answer(const std::string &id, bool read_only) {
    InternalAccess access;
    Rows rows = select_answer.run({param(id)}, read_only);
    return rows.empty() ? "{}" : rows.text(0, 1);
}

std::string customer_list(const std::string &project, std::int32_t max_rows,
                          std::int32_t skip_rows) {
    InternalAccess access;
    return select_list.run({param(project), param(max_rows), param(skip_rows)}, true).text(0, 1);
}

std::set<std::string> owned_stripe_customers(std::int32_t integration_id,
                                             const std::vector<std::string> &stripe_ids) {
    InternalAccess access;
    LocalSetting hashed("enable_nestloop", "off"); // no statistics after a bulk insert
    return first_column(select_owned.run({param(integration_id), param_text_array(stripe_ids)}));
}

std::set<std::string> stripe_customers_of_others(const Project &project,
                                                 const std::vector<std::string> &stripe_ids) {
    InternalAccess access;
    LocalSetting hashed("enable_nestloop", "off"); // no statistics after a bulk insert
    return first_column(select_of_others.run(
        {param(project.team), param(project.id), param_text_array(stripe_ids)}));
}

std::set<std::string> insert_assigned(const std::string &project,
                                      const std::vector<MirroredCustomer> &customers) {
    InternalAccess access;
    return first_column(insert_customers.run(
        {param(project), made_ids(customers.size()), param_texts(customers, &MirroredCustomer::id),
         param_texts(customers, &MirroredCustomer::email),
         param_texts(customers, &MirroredCustomer::name),
         param_texts(customers, &MirroredCustomer::metadata)}));
}

std::vector<std::pair<std::string, std::string>>
reasons_not_assigned(const std::string &project, const std::vector<MirroredCustomer> &customers) {
    InternalAccess access;
    LocalSetting hashed("enable_nestloop", "off"); // no statistics after a bulk insert
    Rows rows = select_reasons.run({param(project), param_texts(customers, &MirroredCustomer::id),
                                    param_texts(customers, &MirroredCustomer::email)});
    std::vector<std::pair<std::string, std::string>> reasons;
    for (std::uint64_t row = 0; row < rows.size(); ++row) {
        reasons.emplace_back(rows.text(row, 1), rows.text(row, 2));
    }
    return reasons;
}

} // namespace billstack::pg
