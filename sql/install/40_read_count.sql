-- What was read from Stripe, for its read allocation: GET requests of this database, by day (UTC).
CREATE TABLE billstack_internal.read_count (
    account text NOT NULL,
    day date NOT NULL,
    reads bigint NOT NULL,
    PRIMARY KEY (account, day)
);
REVOKE ALL ON billstack_internal.read_count FROM PUBLIC;
COMMENT ON TABLE billstack_internal.read_count IS 'GET requests to Stripe by account and mode ("acct_x/live"; with an unknown account a digest of the key) and day, two months back';
