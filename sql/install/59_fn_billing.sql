CREATE FUNCTION billstack.list_subscriptions(project text, customer_id text DEFAULT NULL, active_only boolean DEFAULT true, max_rows integer DEFAULT 50, skip_rows integer DEFAULT 0)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_list_subscriptions';
REVOKE ALL ON FUNCTION billstack.list_subscriptions(text, text, boolean, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_subscriptions(text, text, boolean, integer, integer) IS 'subscriptions of a project, newest first; active_only: active and trialing ones';

CREATE FUNCTION billstack.get_subscription(project text, subscription_id text)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_get_subscription';
REVOKE ALL ON FUNCTION billstack.get_subscription(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.get_subscription(text, text) IS 'one subscription of a project';

CREATE FUNCTION billstack.update_subscription(project text, subscription_id text, cancel_at_period_end boolean DEFAULT NULL, price_id text DEFAULT NULL, quantity integer DEFAULT NULL, proration text DEFAULT 'create_prorations')
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_update_subscription';
REVOKE ALL ON FUNCTION billstack.update_subscription(text, text, boolean, text, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.update_subscription(text, text, boolean, text, integer, text) IS 'cancel at the end of the period or resume, change price or quantity, at Stripe and here; NULL keeps';

CREATE FUNCTION billstack.cancel_subscription(project text, subscription_id text)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_cancel_subscription';
REVOKE ALL ON FUNCTION billstack.cancel_subscription(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.cancel_subscription(text, text) IS 'end a subscription at once';

CREATE FUNCTION billstack.list_invoices(project text, customer_id text DEFAULT NULL, max_rows integer DEFAULT 50, skip_rows integer DEFAULT 0)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_list_invoices';
REVOKE ALL ON FUNCTION billstack.list_invoices(text, text, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_invoices(text, text, integer, integer) IS 'invoices of a project, newest first';

CREATE FUNCTION billstack.list_payments(project text, customer_id text DEFAULT NULL, max_rows integer DEFAULT 50, skip_rows integer DEFAULT 0)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_list_payments';
REVOKE ALL ON FUNCTION billstack.list_payments(text, text, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_payments(text, text, integer, integer) IS 'payments of a project, failed ones too, newest first';

CREATE FUNCTION billstack.create_refund(project text, payment_id text, amount bigint DEFAULT NULL, reason text DEFAULT NULL, idempotency_key text DEFAULT NULL)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_create_refund';
REVOKE ALL ON FUNCTION billstack.create_refund(text, text, bigint, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_refund(text, text, bigint, text, text) IS 'give a payment back, all that is left of it or an amount in minor units';
