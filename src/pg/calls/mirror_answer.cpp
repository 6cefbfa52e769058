#include "pg/calls/mirror_answer.hpp"

#include "pg/access/internal_access.hpp"
#include "pg/bridge/log.hpp"
#include "pg/config.hpp"
#include "pg/mirror/event_mark_store.hpp"
#include "pg/mirror/mirror_access.hpp"
#include "pg/projects/projection.hpp"
#include "pg/worker/wake.hpp"
#include "sync/expanded_lists.hpp"

namespace billstack::pg {

namespace {

// Nobody waits long for a row of the mirror: whoever holds it may be waiting for the caller.
constexpr int longest_wait_ms = 250;

MirrorTarget target_of(const Integration &integration) {
    return {integration.id, integration.team, integration.name, integration.schema_name,
            integration.schema_oid};
}

// The plans of a store are worth keeping: a session mostly writes to one mirror. Plain pointer, so
// that nothing runs at exit.
struct KeptStore {
    std::int32_t integration_id;
    Oid schema_oid;
    SpiMirrorStore *store;
};
KeptStore kept{0, InvalidOid, nullptr};

SpiMirrorStore &store_of(const Integration &integration) {
    if (kept.store == nullptr || kept.integration_id != integration.id ||
        kept.schema_oid != integration.schema_oid) {
        delete std::exchange(kept.store, nullptr);
        kept = {integration.id, integration.schema_oid, new SpiMirrorStore(target_of(integration))};
    }
    return *kept.store;
}

std::string patience_text() {
    bool shorter = LockTimeout > 0 && LockTimeout < longest_wait_ms;
    return std::to_string(shorter ? LockTimeout : longest_wait_ms);
}

// The statement was cancelled, or the process has no memory left: not to be passed over.
bool ends_statement(const PgError &error) {
    int sqlstate_class = ERRCODE_TO_CATEGORY(error.sqlstate());
    return sqlstate_class == ERRCODE_OPERATOR_INTERVENTION ||
           sqlstate_class == ERRCODE_INSUFFICIENT_RESOURCES ||
           sqlstate_class == ERRCODE_INTERNAL_ERROR;
}

bool is_expected(const PgError &error) {
    return is_lock_trouble(error) || error.sqlstate() == ERRCODE_UNDEFINED_TABLE;
}

std::vector<std::string> ids_of(const sync::FetchedPage &page) {
    std::vector<std::string> ids;
    for (const sync::Row &row : page.rows) {
        ids.emplace_back(row.id);
    }
    return ids;
}

// Of a list whose rest is not here nothing is written, or the rest would count as gone.
bool drop_incomplete_lists(sync::FetchedPage &page) {
    bool incomplete = false;
    for (sync::ParentLists &parent : page.parents) {
        for (sync::ChildRows &rows : parent.lists) {
            if (rows.present && rows.has_more) {
                rows.present = false;
                rows.has_more = false;
                incomplete = true;
            }
        }
    }
    return incomplete;
}

} // namespace

AnsweredObject look_at_object(std::string_view body) {
    static constexpr std::string_view paths[] = {"id", "deleted"};
    std::array<json::Token, 2> found;
    json::PathReader(paths).read(body, found);
    AnsweredObject object;
    if (found[0].kind == json::TokenKind::string && !found[0].escaped) {
        object.id = found[0].text;
    }
    object.deleted = found[1].kind == json::TokenKind::boolean && found[1].text == "true";
    return object;
}

// Runs write(store, owner) as the mirror's owner in a subtransaction. False: it was rolled back.
template <class Write> bool MirrorAnswer::write(Write &&write) {
    try {
        Subtransaction subtransaction;
        {
            Oid owner = require_mirror_owner(integration_.owner_name, integration_.schema_name,
                                             integration_.schema_oid);
            UserContext user(owner, UserContext::Rights::restricted);
            LocalSetting patience("lock_timeout", patience_text().c_str());
            SpiSession spi;
            SpiMirrorStore &store = store_of(integration_);
            write(store, owner);
            if (store.take_refetches_asked()) {
                wake_refetches_at_commit();
            }
        }
        subtransaction.commit();
        return true;
    } catch (const PgError &error) {
        if (ends_statement(error)) {
            throw;
        }
        if (!is_expected(error)) {
            log(WARNING,
                "billstack: the mirror waits for another read: " + short_text(error.what()));
        }
    } catch (const core::Error &error) {
        if (error.code != core::Code::changed_meanwhile && error.code != core::Code::not_ready &&
            error.code != core::Code::lock_not_available) {
            log(WARNING,
                "billstack: the mirror waits for another read: " + short_text(error.message));
        }
    }
    return false;
}

void MirrorAnswer::note_sent(const std::string &object_id) {
    sent_ = {};
    (void)write([&](SpiMirrorStore &store, Oid) {
        sync::StoredState stored = store.stored_states(kind_, {object_id}).at(0);
        sent_ = {stored.version, stored.seen_at};
    });
}

void MirrorAnswer::take_object(const std::string &body, const sync::AsOf &as_of) {
    AnsweredObject object = look_at_object(body);
    if (object.id.empty()) {
        return;
    }
    bool ask = false;
    bool written = write([&](SpiMirrorStore &store, Oid owner) {
        if (object.deleted) {
            ask = !sync::apply_gone(store, kind_, object.id, sent_.version, as_of);
        } else {
            std::unique_ptr<sync::FetchedPage> page =
                sync::read_expanded_object(kind_, body, as_of);
            ask = drop_incomplete_lists(*page);
            // asks itself where it is unclear
            (void)sync::apply_answer(store, *page, sent_, config::api_version());
        }
        if (object.deleted || !leads_nowhere(kind_, body)) {
            project_objects(target_of(integration_), owner, {{&kind_, {object.id}}});
        }
    });
    if (!written || ask) {
        ask_for(object.id);
    }
}

void MirrorAnswer::take_list(const std::string &body, const sync::AsOf &as_of) {
    std::unique_ptr<sync::FetchedPage> page = sync::read_page(kind_, body, as_of);
    std::vector<std::string> ids = ids_of(*page);
    if (ids.empty()) {
        return;
    }
    bool incomplete = drop_incomplete_lists(*page);
    bool written = write([&](SpiMirrorStore &store, Oid owner) {
        (void)sync::apply_page(store, *page, sync::Source::read, config::api_version());
        project_objects(target_of(integration_), owner, {{&kind_, {ids.begin(), ids.end()}}});
    });
    if (!written || incomplete) {
        ask_for_all(ids);
    }
}

void MirrorAnswer::ask_for(const std::string &object_id) {
    ask_for_all({object_id});
}

// The worker looks when the caller has committed.
void MirrorAnswer::ask_for_all(const std::vector<std::string> &ids) {
    if (kind_.retrieve_path.empty()) {
        return;
    }
    try {
        Subtransaction subtransaction;
        std::vector<sync::RefetchRequest> requests;
        for (const std::string &id : ids) {
            requests.push_back({&kind_, id, "call", core::Milliseconds(0)});
        }
        {
            LocalSetting patience("lock_timeout", patience_text().c_str());
            request_refetches(integration_.id, requests);
        }
        wake_refetches_at_commit();
        subtransaction.commit();
    } catch (const PgError &error) {
        if (ends_statement(error)) {
            throw;
        }
        // Somebody else is asking for it just now, and the write's event is still to come.
        log(LOG, "billstack: another read could not be asked for: " + short_text(error.what()));
    }
}

} // namespace billstack::pg
