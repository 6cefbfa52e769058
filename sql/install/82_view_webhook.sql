-- Never holds a row: what is inserted goes through the trigger. The last three columns are outputs.
CREATE VIEW billstack.webhook_inbox AS
SELECT NULL::text AS team, NULL::text AS integration, NULL::text AS payload, NULL::text AS signature,
       NULL::text AS event_id, NULL::boolean AS duplicate, NULL::timestamptz AS received_at
 WHERE false;
ALTER VIEW billstack.webhook_inbox ALTER COLUMN integration SET DEFAULT 'default';
REVOKE ALL ON billstack.webhook_inbox FROM PUBLIC;
COMMENT ON VIEW billstack.webhook_inbox IS 'insert Stripe''s signed events here: team, integration, payload (the raw body) and signature (the Stripe-Signature header); event_id, duplicate and received_at come back with RETURNING';
CREATE TRIGGER receive_row INSTEAD OF INSERT ON billstack.webhook_inbox
    FOR EACH ROW EXECUTE FUNCTION billstack_internal.receive_row();
