CREATE FUNCTION billstack.create_project(team text, name text, integration text DEFAULT 'default', id text DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_project';
REVOKE ALL ON FUNCTION billstack.create_project(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_project(text, text, text, text) IS 'a product that the team sells, linked to the named integration, or with NULL to none';

CREATE FUNCTION billstack.list_projects(team text)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_list_projects';
REVOKE ALL ON FUNCTION billstack.list_projects(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_projects(text) IS 'the projects of a team, by name';

CREATE FUNCTION billstack.link_project(project text, integration text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_link_project';
REVOKE ALL ON FUNCTION billstack.link_project(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.link_project(text, text) IS 'let a project that is linked to nothing use this integration';

CREATE FUNCTION billstack.unlink_project(project text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_unlink_project';
REVOKE ALL ON FUNCTION billstack.unlink_project(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.unlink_project(text) IS 'take a project from its integration; its rows stay';

CREATE FUNCTION billstack.relink_project(project text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_relink_project';
REVOKE ALL ON FUNCTION billstack.relink_project(text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.relink_project(text) IS 'find the stale customers, products and prices of a project in the account it is linked to now';

CREATE FUNCTION billstack.create_customer(project text, email text, name text DEFAULT NULL, metadata jsonb DEFAULT '{}')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_customer';
REVOKE ALL ON FUNCTION billstack.create_customer(text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_customer(text, text, text, jsonb) IS 'a customer of a project; an existing Stripe customer with that e-mail is linked, otherwise one is made';

CREATE FUNCTION billstack.get_customer(project text, customer_id text)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_get_customer';
REVOKE ALL ON FUNCTION billstack.get_customer(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.get_customer(text, text) IS 'one customer of a project';

CREATE FUNCTION billstack.list_customers(project text, max_rows integer DEFAULT 50, skip_rows integer DEFAULT 0)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_list_customers';
REVOKE ALL ON FUNCTION billstack.list_customers(text, integer, integer) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_customers(text, integer, integer) IS 'customers of a project, the newest first';

CREATE FUNCTION billstack.update_customer(project text, customer_id text, email text DEFAULT NULL, name text DEFAULT NULL, metadata jsonb DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_update_customer';
REVOKE ALL ON FUNCTION billstack.update_customer(text, text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION billstack.update_customer(text, text, text, text, jsonb) IS 'change a customer here and at Stripe; NULL keeps';

CREATE FUNCTION billstack.delete_customer(project text, customer_id text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_delete_customer';
REVOKE ALL ON FUNCTION billstack.delete_customer(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.delete_customer(text, text) IS 'take a customer from a project; Stripe keeps its own';

CREATE FUNCTION billstack.assign_customers(project text, ids text[] DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_assign_customers';
REVOKE ALL ON FUNCTION billstack.assign_customers(text, text[]) FROM PUBLIC;
COMMENT ON FUNCTION billstack.assign_customers(text, text[]) IS 'mirrored Stripe customers become customers of a project; NULL: all that no project has';

CREATE FUNCTION billstack.create_product(project text, name text, description text DEFAULT NULL, metadata jsonb DEFAULT '{}')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_product';
REVOKE ALL ON FUNCTION billstack.create_product(text, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_product(text, text, text, jsonb) IS 'a product of a project, made at Stripe too';

CREATE FUNCTION billstack.get_product(project text, product_id text)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_get_product';
REVOKE ALL ON FUNCTION billstack.get_product(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.get_product(text, text) IS 'one product of a project';

CREATE FUNCTION billstack.list_products(project text, active_only boolean DEFAULT true)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_list_products';
REVOKE ALL ON FUNCTION billstack.list_products(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_products(text, boolean) IS 'products of a project, the newest first';

CREATE FUNCTION billstack.update_product(project text, product_id text, name text DEFAULT NULL, description text DEFAULT NULL, is_active boolean DEFAULT NULL, metadata jsonb DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_update_product';
REVOKE ALL ON FUNCTION billstack.update_product(text, text, text, text, boolean, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION billstack.update_product(text, text, text, text, boolean, jsonb) IS 'change or archive a product here and at Stripe; NULL keeps';

CREATE FUNCTION billstack.adopt_product(project text, stripe_product_id text)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_adopt_product';
REVOKE ALL ON FUNCTION billstack.adopt_product(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.adopt_product(text, text) IS 'an existing product of the mirror, with its prices, becomes a product of the project';

CREATE FUNCTION billstack.create_price(project text, product_id text, unit_amount bigint, currency text, recurring_interval text DEFAULT NULL, interval_count integer DEFAULT 1, metadata jsonb DEFAULT '{}')
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_create_price';
REVOKE ALL ON FUNCTION billstack.create_price(text, text, bigint, text, text, integer, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION billstack.create_price(text, text, bigint, text, text, integer, jsonb) IS 'a price of a product in minor units, made at Stripe too; without an interval it is paid once';

CREATE FUNCTION billstack.get_price(project text, price_id text)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_get_price';
REVOKE ALL ON FUNCTION billstack.get_price(text, text) FROM PUBLIC;
COMMENT ON FUNCTION billstack.get_price(text, text) IS 'one price of a project';

CREATE FUNCTION billstack.list_prices(project text, product_id text DEFAULT NULL, active_only boolean DEFAULT true)
RETURNS jsonb LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_list_prices';
REVOKE ALL ON FUNCTION billstack.list_prices(text, text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION billstack.list_prices(text, text, boolean) IS 'prices of a project or of one product, the newest first';

CREATE FUNCTION billstack.update_price(project text, price_id text, is_active boolean DEFAULT NULL, metadata jsonb DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'billstack_update_price';
REVOKE ALL ON FUNCTION billstack.update_price(text, text, boolean, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION billstack.update_price(text, text, boolean, jsonb) IS 'archive a price or change its metadata, here and at Stripe; NULL keeps';
