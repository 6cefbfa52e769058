CREATE TABLE billstack_internal.api_key (
    id text PRIMARY KEY,
    team text NOT NULL REFERENCES billstack_internal.team (team),
    project_id text,
    name text NOT NULL,
    prefix text NOT NULL,
    key_sha256 bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL DEFAULT '{}',
    created_by name NOT NULL,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_key_team_idx ON billstack_internal.api_key (team);
REVOKE ALL ON billstack_internal.api_key FROM PUBLIC;
COMMENT ON TABLE billstack_internal.api_key IS 'API keys as the SHA-256 of their text; no scopes means all, no project all of the team''s';
