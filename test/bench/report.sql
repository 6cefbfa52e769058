-- Medians over the rounds, beside the baseline's where it was measured.
WITH median AS (
    SELECT what, max(objects) AS objects,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY objects / seconds)::numeric AS rate,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu * 100000 / objects)::numeric AS cpu,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY server_cpu * 100000 / objects)::numeric AS server_cpu,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY wal / objects)::numeric AS wal, max(rewritten) AS rewritten
      FROM bench.figure GROUP BY what)
SELECT format('  median %s: %s objects/s', rpad(m.what, 48), round(m.rate))
       || CASE WHEN b.rate IS NULL THEN '' ELSE format(', %s times the baseline', round(m.rate / b.rate, 2)) END
       || format('; CPU %s s for 100,000 objects', round(m.cpu, 2))
       || CASE WHEN m.server_cpu IS NULL THEN '' ELSE format(', the whole server %s s', round(m.server_cpu, 2)) END
       || CASE WHEN m.wal IS NULL THEN '' ELSE format('; WAL %s bytes an object, %s rows written', round(m.wal), m.rewritten) END
  FROM median AS m LEFT JOIN median AS b ON b.what = 'set-based SQL upsert, jsonb' ORDER BY m.what DESC;
