-- These two stand in row-level-security policies, called once a row: a SET clause would cost more
-- than the answer. They run no SQL of their own but the check of the right, which pins its path.
-- Not parallel safe: a parallel worker does not know for which API key its leader acts.
CREATE FUNCTION billstack.has_active_subscription(project text, customer_id text, price_id text DEFAULT NULL)
    RETURNS boolean LANGUAGE c STABLE PARALLEL RESTRICTED COST 10
    AS 'MODULE_PATHNAME', 'billstack_has_active_subscription';
REVOKE ALL ON FUNCTION billstack.has_active_subscription(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.has_active_subscription(text, text, text) IS 'whether a customer has a subscription that is active or trialing, to that price if one is named; false for unknown ids';

CREATE FUNCTION billstack.has_feature(project text, customer_id text, lookup_key text)
    RETURNS boolean LANGUAGE c STABLE PARALLEL RESTRICTED COST 10
    AS 'MODULE_PATHNAME', 'billstack_has_feature';
REVOKE ALL ON FUNCTION billstack.has_feature(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.has_feature(text, text, text) IS 'whether a customer is entitled to the feature with that lookup key; false for unknown ids';

CREATE FUNCTION billstack.analytics(project text, growth_days integer DEFAULT 30)
    RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_analytics';
REVOKE ALL ON FUNCTION billstack.analytics(text, integer) FROM PUBLIC;
COMMENT ON FUNCTION billstack.analytics(text, integer) IS 'recurring revenue, customers, churn and subscriptions of a project';

CREATE FUNCTION billstack.map_account(team text, stripe_customer_id text, account_ref text)
    RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'billstack_map_account';
REVOKE ALL ON FUNCTION billstack.map_account(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.map_account(text, text, text) IS 'tie a Stripe customer to the application''s own account, shown in billing_health; NULL unties it';
