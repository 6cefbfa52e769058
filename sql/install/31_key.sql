CREATE TABLE billstack_internal.sealed_key (
    integration_id integer NOT NULL REFERENCES billstack_internal.integration (id) ON DELETE CASCADE,
    key_kind text NOT NULL,
    fingerprint text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    valid_until timestamptz,
    PRIMARY KEY (integration_id, key_kind)
);
REVOKE ALL ON billstack_internal.sealed_key FROM PUBLIC;
COMMENT ON TABLE billstack_internal.sealed_key IS 'secrets sealed with AES-256-GCM under the root key of that fingerprint; key_kind is secret_key, webhook_secret or webhook_secret_previous, which opens until valid_until';
