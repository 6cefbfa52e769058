-- The key comes from the environment and is in no argument, history or log.
\getenv key STRIPE_SECRET_KEY
\x on
SELECT r->>'accountName' AS account, r->>'accountId' AS id, r->>'country' AS country,
       r->>'defaultCurrency' AS currency, r->>'livemode' AS livemode
  FROM billstack.connect('acme', :'key') AS r;
