#include "pg/handlers/handler_function.hpp"

namespace billstack::pg {

namespace {

// Of pg_proc, copied out: plain data for call().
struct Properties {
    bool exists;
    bool fits;
    bool temporary;
    Oid schema;
    Oid result_type;
    Oid owner;
};

Properties properties_of(Oid function) {
    return call([&] {
        Properties found{};
        HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
        if (!HeapTupleIsValid(tuple)) {
            return found;
        }
        auto *form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
        found.exists = true;
        found.fits = form->prokind == PROKIND_FUNCTION && !form->proretset && form->pronargs == 1 &&
                     form->proargtypes.values[0] == JSONBOID;
        found.temporary = isAnyTempNamespace(form->pronamespace);
        found.schema = form->pronamespace;
        found.result_type = form->prorettype;
        found.owner = form->proowner;
        ReleaseSysCache(tuple);
        return found;
    });
}

// 0 when there is none. Raises without USAGE on the schema.
Oid look_up(const HandlerName &name) {
    const char *schema_name = name.schema.c_str();
    const char *function_name = name.name.c_str();
    return call([&] {
        Oid schema = LookupExplicitNamespace(schema_name, true);
        if (!OidIsValid(schema)) {
            return InvalidOid;
        }
        Oid argument = JSONBOID;
        oidvector *arguments = buildoidvector(&argument, 1);
        return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(function_name),
                               PointerGetDatum(arguments), ObjectIdGetDatum(schema));
    });
}

core::Error no_such_function(const std::string &name) {
    return core::Error(core::Code::unknown_object, "handler " + name + " does not exist");
}

std::string quoted(const std::string &name) {
    const char *text = name.c_str();
    return call([&] { return quote_identifier(text); });
}

HandlerFunction checked(Oid function, const HandlerName &name, const Properties &properties) {
    if (!properties.fits || properties.temporary) {
        char *shown = call([&] { return format_procedure(function); });
        throw core::Error(core::Code::bad_argument, std::string(shown) + " cannot be a handler",
                          "A handler is a function with one argument of type jsonb and any result, "
                          "in a schema that lasts; no procedure, aggregate or window function, and "
                          "none that returns a set.");
    }
    if (!call([&] { return may_execute(function, GetUserId()); })) {
        throw core::Error(
            core::Code::not_allowed, "permission denied for function " + shown_handler(name),
            "A handler is called as the role that subscribed.", "Grant that role EXECUTE on it.");
    }
    char *owner = call([&] { return GetUserNameFromId(properties.owner, false); });
    return {function, properties.result_type, name, owner};
}

} // namespace

std::string shown_handler(const HandlerName &name) {
    std::string schema = name.schema.empty() ? "" : quoted(name.schema) + ".";
    return schema + quoted(name.name) + "(jsonb)";
}

HandlerName name_of_handler(Oid function) {
    Properties properties = properties_of(function);
    char *schema =
        properties.exists ? call([&] { return get_namespace_name(properties.schema); }) : nullptr;
    char *name = properties.exists ? call([&] { return get_func_name(function); }) : nullptr;
    if (schema == nullptr || name == nullptr) {
        throw no_such_function("with OID " + std::to_string(function));
    }
    return {schema, name};
}

HandlerFunction require_handler(Oid function) {
    HandlerName name = name_of_handler(function);
    Properties properties = properties_of(function);
    if (properties.fits) {
        (void)look_up(name); // the right to use the schema
    }
    return checked(function, name, properties);
}

HandlerFunction require_handler(const HandlerName &name) {
    Oid function = look_up(name);
    if (!OidIsValid(function)) {
        throw no_such_function(shown_handler(name));
    }
    call([&] { LockDatabaseObject(ProcedureRelationId, function, 0, AccessShareLock); });
    if (look_up(name) != function) {
        throw no_such_function(shown_handler(name)); // replaced just now; the next try sees it
    }
    return checked(function, name, properties_of(function));
}

HandlerName read_handler_name(const std::string &shown) {
    Datum name = text_datum(std::string_view(shown).substr(0, shown.find('(')));
    struct Parts {
        int count;
        char *schema;
        char *name;
    };
    Parts parts = call([&] {
        List *names = textToQualifiedNameList(DatumGetTextPP(name));
        Parts found{list_length(names), nullptr, nullptr};
        if (found.count <= 2) {
            found.name = strVal(llast(names));
            found.schema = found.count == 2 ? strVal(linitial(names)) : nullptr;
        }
        return found;
    });
    if (parts.count > 2) {
        throw core::Error(core::Code::bad_argument, "\"" + shown + "\" is no name of a handler",
                          "A handler is named by schema and name.");
    }
    return {parts.schema != nullptr ? parts.schema : "", parts.name};
}

Datum event_datum(const std::string &payload) {
    const char *text = payload.c_str();
    // What follows counts on well-formed text.
    call([&] { (void)DirectFunctionCall1(json_in, CStringGetDatum(text)); });
    if (!json::fits_jsonb(payload)) {
        throw UnusableEvent(core::Code::bad_argument, "event does not fit into jsonb",
                            "At most 1 MiB, 64 levels, numbers of 100 digits.");
    }
    if (!json::needs_cleaning(payload)) {
        return jsonb_datum(payload);
    }
    std::string clean(payload.size(), ' ');
    json::clean_json(payload, clean.data());
    return jsonb_datum(clean);
}

void call_handler(const HandlerFunction &handler, Datum event) {
    call([&] {
        EState *state = CreateExecutorState();
        MemoryContext outer = MemoryContextSwitchTo(state->es_query_cxt);
        Const *argument = makeConst(JSONBOID, -1, InvalidOid, -1, event, false, false);
        FuncExpr *expression = makeFuncExpr(handler.oid, handler.result_type, list_make1(argument),
                                            InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
        ExprState *prepared = ExecPrepareExpr(reinterpret_cast<Expr *>(expression), state);
        bool is_null = false;
        (void)ExecEvalExprSwitchContext(prepared, GetPerTupleExprContext(state), &is_null);
        MemoryContextSwitchTo(outer);
        FreeExecutorState(state);
    });
}

} // namespace billstack::pg
