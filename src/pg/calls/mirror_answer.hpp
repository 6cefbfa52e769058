// What Stripe has answered to a backend goes into the mirror and the project rows in the backend's
// own transaction, so that it reads what it wrote. Nothing here fails the caller: a row that cannot
// be written now (a lock, a newer state, a trigger's error) is read once more by the worker.
#pragma once
#include "pg/team/integration_store.hpp"

namespace billstack::pg {

class MirrorAnswer {
  public:
    // kind: of the objects that are asked for. integration is borrowed.
    MirrorAnswer(const Integration &integration, const stripe::Kind &kind)
        : integration_(integration), kind_(kind) {}

    // Before the request is sent: what the mirror holds of this object is older than the answer.
    void note_sent(const std::string &object_id);
    // The body of an answer that is one object; {"deleted": true} becomes a tombstone.
    void take_object(const std::string &body, const sync::AsOf &as_of);
    // The body of an answer that is a list.
    void take_list(const std::string &body, const sync::AsOf &as_of);
    // No answer says how the object is now.
    void ask_for(const std::string &object_id);

  private:
    template <class Write> bool write(Write &&write);
    void ask_for_all(const std::vector<std::string> &ids);

    const Integration &integration_;
    const stripe::Kind &kind_;
    sync::SentState sent_;
};

// An object's id; "" when the body has none. deleted: it says that the object is no more.
struct AnsweredObject {
    std::string id;
    bool deleted = false;
};
AnsweredObject look_at_object(std::string_view body);

} // namespace billstack::pg
