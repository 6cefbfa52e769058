INSERT INTO bench.page
SELECT split_part(name, '.', 1), body, jsonb_array_length(body::jsonb->'data')
  FROM pg_ls_dir(:'dir' || '/pages') AS name,
       LATERAL (SELECT pg_read_file(:'dir' || '/pages/' || name) AS body) AS file
 ORDER BY name;
VACUUM ANALYZE bench.page;
