select json_build_object(
  'types', (select json_object_agg(attname, format_type(atttypid, atttypmod)) from pg_attribute
    where attrelid = r and attnum > 0 and not attisdropped),
  'checks', (select coalesce(json_agg(json_build_object('what', what, 'name', name, 'sql', sql, 'false', w.false)
      order by what, name), '[]') from (
    select 'constraint' as what, conname::text as name, pg_get_expr(conbin, conrelid) as sql, true as false
      from pg_constraint where conrelid = r and contype = 'c' and convalidated
    union all
    select 'generated column', attname, pg_get_expr(adbin, adrelid), false
      from pg_attribute a join pg_attrdef on adrelid = attrelid and adnum = attnum
      where attrelid = r and coalesce(to_jsonb(a)->>'attgenerated', '') <> ''
    union all
    select 'index', indexrelid::regclass::text,
        concat_ws(', ', pg_get_expr(indexprs, indrelid), pg_get_expr(indpred, indrelid)), false
      from pg_index where indrelid = r and (indexprs is not null or indpred is not null)
    union all
    select 'bounds of the partition', relname, pg_get_partition_constraintdef(oid), true
      from pg_class where oid = r and relispartition and pg_get_partition_constraintdef(oid) is not null) w)
) from (select $1::regclass as r) of_it
