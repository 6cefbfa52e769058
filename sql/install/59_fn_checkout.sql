CREATE FUNCTION billstack.create_checkout(project text, customer_id text, price_id text, success_url text, cancel_url text, quantity integer DEFAULT 1, mode text DEFAULT 'subscription', trial_days integer DEFAULT NULL, metadata jsonb DEFAULT NULL, idempotency_key text DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_checkout';
REVOKE ALL ON FUNCTION billstack.create_checkout(text, text, text, text, text, integer, text, integer, jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_checkout(text, text, text, text, text, integer, text, integer, jsonb, text) IS 'a page at Stripe where a customer subscribes or pays; the subscription comes by event';

CREATE FUNCTION billstack.create_setup_checkout(project text, customer_id text, success_url text, cancel_url text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_setup_checkout';
REVOKE ALL ON FUNCTION billstack.create_setup_checkout(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_setup_checkout(text, text, text, text) IS 'a page at Stripe where a customer stores a payment method';

CREATE FUNCTION billstack.create_portal_session(project text, customer_id text, return_url text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_portal_session';
REVOKE ALL ON FUNCTION billstack.create_portal_session(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_portal_session(text, text, text) IS 'Stripe''s hosted portal for a customer''s subscriptions, invoices and payment methods';
