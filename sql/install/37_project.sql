-- Projects and their customers, products and prices. Stripe ids belong to the account and mode of
-- the integration they were made with: when a project comes to stand on another one, its rows are
-- marked stale and no call uses their Stripe ids until relink_project() has found new ones, or the
-- project comes back to where they belong (stale_account, stale_livemode).
CREATE TABLE billstack_internal.project (
    id text PRIMARY KEY,
    team text NOT NULL REFERENCES billstack_internal.team (team),
    name text NOT NULL,
    base_currency text NOT NULL DEFAULT 'usd',
    integration_id integer REFERENCES billstack_internal.integration (id),
    account_id text,
    livemode boolean,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    linked_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE INDEX project_team_idx ON billstack_internal.project (team);
CREATE INDEX project_integration_idx ON billstack_internal.project (integration_id);
REVOKE ALL ON billstack_internal.project FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project IS 'one product that a team sells; linked to one integration at most. account_id (integration:<id> where the key may not read it) and livemode: where its Stripe ids that are not stale belong';

CREATE TABLE billstack_internal.project_customer (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES billstack_internal.project (id),
    email text,
    name text,
    metadata jsonb NOT NULL DEFAULT '{}',
    stripe_customer_id text,
    link text NOT NULL,
    link_detail text,
    stale boolean NOT NULL DEFAULT false,
    stale_account text,
    stale_livemode boolean,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX project_customer_email_key ON billstack_internal.project_customer (project_id, (pg_catalog.lower(email))) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX project_customer_stripe_key ON billstack_internal.project_customer (project_id, stripe_customer_id) WHERE deleted_at IS NULL AND NOT stale;
CREATE INDEX project_customer_stripe_idx ON billstack_internal.project_customer (stripe_customer_id);
CREATE INDEX project_customer_created_idx ON billstack_internal.project_customer (project_id, created_at, id) INCLUDE (stale);
CREATE INDEX project_customer_deleted_idx ON billstack_internal.project_customer (project_id, deleted_at) WHERE deleted_at IS NOT NULL AND NOT stale;
REVOKE ALL ON billstack_internal.project_customer FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project_customer IS 'customers of a project; link says how the Stripe customer was found: created, metadata, oldest, assigned, relinked';

CREATE TABLE billstack_internal.project_product (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES billstack_internal.project (id),
    name text NOT NULL,
    description text,
    is_active boolean NOT NULL DEFAULT true,
    metadata jsonb NOT NULL DEFAULT '{}',
    stripe_product_id text NOT NULL,
    stale boolean NOT NULL DEFAULT false,
    stale_account text,
    stale_livemode boolean,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE UNIQUE INDEX project_product_stripe_key ON billstack_internal.project_product (project_id, stripe_product_id) WHERE NOT stale;
CREATE INDEX project_product_stripe_idx ON billstack_internal.project_product (stripe_product_id);
REVOKE ALL ON billstack_internal.project_product FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project_product IS 'products of a project';

CREATE TABLE billstack_internal.project_price (
    id text PRIMARY KEY,
    project_id text NOT NULL REFERENCES billstack_internal.project (id),
    product_id text NOT NULL REFERENCES billstack_internal.project_product (id),
    unit_amount bigint,
    currency text NOT NULL,
    recurring_interval text,
    interval_count integer,
    is_active boolean NOT NULL DEFAULT true,
    metadata jsonb NOT NULL DEFAULT '{}',
    stripe_price_id text NOT NULL,
    stale boolean NOT NULL DEFAULT false,
    stale_account text,
    stale_livemode boolean,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
CREATE UNIQUE INDEX project_price_stripe_key ON billstack_internal.project_price (project_id, stripe_price_id) WHERE NOT stale;
CREATE INDEX project_price_stripe_idx ON billstack_internal.project_price (stripe_price_id);
CREATE INDEX project_price_product_idx ON billstack_internal.project_price (product_id);
REVOKE ALL ON billstack_internal.project_price FROM PUBLIC;
COMMENT ON TABLE billstack_internal.project_price IS 'prices of a project''s products; recurring_interval is NULL for a one-time price, unit_amount for a tiered one';
