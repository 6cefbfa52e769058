-- What Stripe's events and reads say of the money of an integration that has projects: one row an
-- object, written in the transaction that writes the mirror, also for objects that no project is
-- found for (project_id is NULL: unrouted). Each row keeps what it is routed by, so that it is
-- routed again from here alone when a customer, a price or a subscription comes later.
-- metadata_project is the project_id in the object's own metadata, named_project the one that its
-- checkout session, or the subscription as the invoice knew it, has there. routed_by says how
-- strong the rule is by which the project was found, 1 the strongest: 1 own metadata, 2 the named
-- one, 3 and a fraction what the row hangs on (3.4: a subscription that was found by 4), 4 the
-- price, 5 the customer.
CREATE TABLE billstack_internal.project_subscription (
    id text PRIMARY KEY,
    integration_id integer NOT NULL,
    stripe_subscription_id text NOT NULL,
    project_id text,
    customer_id text,
    price_id text,
    stripe_customer_id text,
    stripe_price_id text,
    stripe_price_ids text[] NOT NULL DEFAULT '{}',
    metadata_project text,
    named_project text,
    routed_by numeric,
    status text NOT NULL,
    quantity bigint,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    current_period_start timestamptz,
    current_period_end timestamptz,
    trial_end timestamptz,
    cancel_at timestamptz,
    canceled_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    currency text,
    mrr numeric,
    mrr_discounted numeric,
    metadata jsonb NOT NULL DEFAULT '{}',
    stale boolean NOT NULL DEFAULT false,
    stale_account text,
    stale_livemode boolean,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE UNIQUE INDEX project_subscription_stripe_key ON billstack_internal.project_subscription (integration_id, stripe_subscription_id);
CREATE INDEX project_subscription_customer_idx ON billstack_internal.project_subscription (customer_id);
CREATE INDEX project_subscription_project_idx ON billstack_internal.project_subscription (project_id, created_at, id);
CREATE INDEX project_subscription_stripe_customer_idx ON billstack_internal.project_subscription (integration_id, stripe_customer_id) INCLUDE (stale);
CREATE INDEX project_subscription_analytics_idx ON billstack_internal.project_subscription (project_id, status, currency)
    INCLUDE (mrr, started_at, created_at, ended_at) WHERE NOT stale;
CREATE INDEX project_subscription_unrouted_idx ON billstack_internal.project_subscription USING gin (stripe_price_ids) WHERE project_id IS NULL;
CREATE INDEX project_subscription_unpriced_idx ON billstack_internal.project_subscription (integration_id, stripe_price_id) WHERE price_id IS NULL;
REVOKE ALL ON billstack_internal.project_subscription FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project_subscription IS 'subscriptions, routed to projects; mrr in minor units a month over all items, before and after discounts, NULL when a price has no fixed amount';

CREATE TABLE billstack_internal.project_invoice (
    id text PRIMARY KEY,
    integration_id integer NOT NULL,
    stripe_invoice_id text NOT NULL,
    project_id text,
    customer_id text,
    stripe_customer_id text,
    stripe_subscription_id text,
    stripe_price_ids text[] NOT NULL DEFAULT '{}',
    metadata_project text,
    named_project text,
    routed_by numeric,
    number text,
    status text,
    currency text,
    amount_due bigint,
    amount_paid bigint,
    attempted boolean NOT NULL DEFAULT false,
    invoice_pdf text,
    hosted_invoice_url text,
    due_date timestamptz,
    paid_at timestamptz,
    stale boolean NOT NULL DEFAULT false,
    stale_account text,
    stale_livemode boolean,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE UNIQUE INDEX project_invoice_stripe_key ON billstack_internal.project_invoice (integration_id, stripe_invoice_id);
CREATE INDEX project_invoice_project_idx ON billstack_internal.project_invoice (project_id, created_at, id);
CREATE INDEX project_invoice_customer_idx ON billstack_internal.project_invoice (customer_id);
CREATE INDEX project_invoice_stripe_customer_idx ON billstack_internal.project_invoice (integration_id, stripe_customer_id) INCLUDE (stale);
CREATE INDEX project_invoice_unrouted_idx ON billstack_internal.project_invoice USING gin (stripe_price_ids) WHERE project_id IS NULL;
CREATE INDEX project_invoice_subscription_idx ON billstack_internal.project_invoice (integration_id, stripe_subscription_id);
REVOKE ALL ON billstack_internal.project_invoice FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project_invoice IS 'invoices, routed to projects; attempted: Stripe has tried to collect';

CREATE TABLE billstack_internal.project_payment (
    id text PRIMARY KEY,
    integration_id integer NOT NULL,
    stripe_payment_id text NOT NULL,
    project_id text,
    customer_id text,
    stripe_customer_id text,
    stripe_payment_intent_id text,
    stripe_charge_id text,
    stripe_invoice_id text,
    metadata_project text,
    named_project text,
    routed_by numeric,
    amount bigint NOT NULL,
    amount_refunded bigint NOT NULL DEFAULT 0,
    currency text,
    status text,
    failure_code text,
    failure_message text,
    stale boolean NOT NULL DEFAULT false,
    stale_account text,
    stale_livemode boolean,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE UNIQUE INDEX project_payment_stripe_key ON billstack_internal.project_payment (integration_id, stripe_payment_id);
CREATE INDEX project_payment_project_idx ON billstack_internal.project_payment (project_id, created_at, id);
CREATE INDEX project_payment_customer_idx ON billstack_internal.project_payment (customer_id);
CREATE INDEX project_payment_stripe_customer_idx ON billstack_internal.project_payment (integration_id, stripe_customer_id) INCLUDE (stale);
CREATE INDEX project_payment_invoice_idx ON billstack_internal.project_payment (integration_id, stripe_invoice_id);
REVOKE ALL ON billstack_internal.project_payment FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project_payment IS 'payments, routed to projects: a payment intent with its latest charge (stripe_payment_id is the pi_ id), or a charge that has no intent (the ch_ id)';

CREATE TABLE billstack_internal.account_map (
    team text NOT NULL REFERENCES billstack_internal.team (team),
    stripe_customer_id text NOT NULL,
    account_ref text NOT NULL,
    mapped_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (team, stripe_customer_id)
);
REVOKE ALL ON billstack_internal.account_map FROM PUBLIC;
COMMENT ON TABLE billstack_internal.account_map IS 'the application''s own account of a Stripe customer, by map_account()';

CREATE TABLE billstack_internal.project_entitlement (
    integration_id integer NOT NULL REFERENCES billstack_internal.integration (id) ON DELETE CASCADE,
    stripe_entitlement_id text NOT NULL,
    stripe_customer_id text NOT NULL,
    lookup_key text NOT NULL,
    PRIMARY KEY (integration_id, stripe_entitlement_id)
);
CREATE INDEX project_entitlement_customer_idx ON billstack_internal.project_entitlement (integration_id, stripe_customer_id, lookup_key);
REVOKE ALL ON billstack_internal.project_entitlement FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project_entitlement IS 'active entitlements of Stripe customers to features, of integrations that have projects; what has_feature() reads';
