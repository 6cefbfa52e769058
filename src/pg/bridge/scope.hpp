// Server state held for the length of a C++ scope. Constructors may throw PgError; destructors do
// not throw and end the process (FATAL) when undoing fails.
#pragma once
#include "pg/bridge/guard.hpp"

namespace billstack::pg {

// A transaction of a background worker, with an active snapshot. Aborts unless committed. The
// memory context of the creator is current again afterwards.
class Transaction {
  public:
    // How many this process has begun: their inner waits may have consumed the latch.
    static std::uint64_t begun() noexcept;

    Transaction();
    ~Transaction();
    Transaction(const Transaction &) = delete;
    Transaction &operator=(const Transaction &) = delete;
    void commit(); // also reports statistics, else autovacuum never sees the worker's writes

  private:
    MemoryContext outer_;
    bool open_ = true;
};

class Subtransaction {
  public:
    Subtransaction();
    ~Subtransaction(); // rolls back unless committed
    Subtransaction(const Subtransaction &) = delete;
    Subtransaction &operator=(const Subtransaction &) = delete;
    void commit();

  private:
    MemoryContext outer_;
    ResourceOwner owner_;
    bool open_ = true;
};

// An exception that passes a SpiSession must end in a rollback of the (sub)transaction it was
// opened in: SPI's own stack is cleaned up there.
class SpiSession {
  public:
    SpiSession();
    ~SpiSession();
    SpiSession(const SpiSession &) = delete;
    SpiSession &operator=(const SpiSession &) = delete;

  private:
    int exceptions_;
};

// A child context, current for the length of the scope and freed at its end.
class MemoryScope {
  public:
    explicit MemoryScope(const char *name, MemoryContext parent = CurrentMemoryContext);
    ~MemoryScope();
    MemoryScope(const MemoryScope &) = delete;
    MemoryScope &operator=(const MemoryScope &) = delete;
    void reset() noexcept { MemoryContextReset(context_); }

  private:
    MemoryContext outer_;
    MemoryContext context_;
};

// Acts as another role, with search_path pinned to pg_catalog: neither the caller's path nor one
// that the other role's triggers have set may choose which function or operator runs with whose
// rights. Settings made inside are undone at the end. restricted also forbids to leave anything
// behind that runs later with other rights (deferred triggers, SET ROLE), as core's logical
// replication apply does. No transaction may end inside; an exception that leaves it must end in a
// rollback.
class UserContext {
  public:
    enum class Rights { plain, restricted };
    UserContext(Oid role, Rights rights);
    ~UserContext();
    UserContext(const UserContext &) = delete;
    UserContext &operator=(const UserContext &) = delete;

  private:
    Oid role_;
    int flags_;
    int exceptions_;
    int settings_level_;
};

// What runs inside is canceled (57014) after so long; a cancel that comes too late is forgotten. A
// function can trap the cancel and go on: ten seconds later the process is told to end, which
// nothing can trap. For background workers; not nested.
class TimeLimit {
  public:
    explicit TimeLimit(int milliseconds);
    ~TimeLimit();
    TimeLimit(const TimeLimit &) = delete;
    TimeLimit &operator=(const TimeLimit &) = delete;
};

// The owner of the extension in this database; throws core::Error(not_ready) without one.
Oid extension_owner();

} // namespace billstack::pg
