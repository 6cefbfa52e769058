WITH median AS (
    SELECT what, max(objects) AS objects,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY objects / seconds)::numeric AS rate
      FROM bench.figure GROUP BY what)
SELECT format('  median %s: %s objects/s, %s times the baseline', rpad(m.what, 48), round(m.rate),
              round(m.rate / b.rate, 2))
  FROM median AS m, median AS b
 WHERE b.what = 'set-based SQL upsert, jsonb' ORDER BY m.what DESC;
