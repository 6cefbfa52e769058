-- What a dump takes along: who is connected to what, and who may use it. Sealed keys are useless
-- without the key-ring file. Acknowledged events that are not applied yet are kept nowhere else,
-- project rows are not at Stripe, and an intent keeps a write from being made twice. Runs and the
-- ledger of done events belong to this database only.
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.team', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.integration', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.integration_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.mirror_table', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.access_grant', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.sealed_key', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.inbox', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.inbox_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.event_mark', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.refetch', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.subscription', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.subscription_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.api_key', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project_customer', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project_product', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project_price', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project_subscription', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project_invoice', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project_payment', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.project_entitlement', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.account_map', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.intent', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.intent_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('billstack_internal.intent_count', '');
