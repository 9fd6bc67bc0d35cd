-- What a database consists of, as JSON: SchemaQuery says which parts of this are for newer versions only.
with recursive mine as (
  select c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.reltuples
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (
      select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), up as (
  select oid, oid as top, relispartition as more from mine
  union all
  select up.oid, i.inhparent, p.relispartition
  from up join pg_inherits i on i.inhrelid = up.top join pg_class p on p.oid = i.inhparent where up.more
), root as (
  select oid, top from up where not more
), based as (
  select oid, typbasetype as base, typtypmod as mod, typnotnull from pg_type where typtype = 'd'
  union all
  select b.oid, d.typbasetype, d.typtypmod, b.typnotnull or d.typnotnull
  from based b join pg_type d on d.oid = b.base and d.typtype = 'd'
), alone as (
  select distinct indrelid, indkey[0] as attnum from pg_index
  where indisunique and indnkeyatts = 1 and indpred is null and indkey[0] > 0
), jointly as (
  select i.indrelid, (
    select array_agg(distinct a.attname::text) from pg_attribute a where a.attrelid = i.indrelid and a.attnum > 0
    and (a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]) or i.indexprs is not null and exists (
      select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
      and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid and d.refobjsubid = a.attnum))) as columns
  from pg_index i
  where i.indisunique and (i.indnkeyatts > 1 or i.indpred is not null or i.indexprs is not null)
), fk as (
  select k.conrelid, k.confrelid, k.conkey, k.confkey,
    (select array_agg(a.attname::text order by o) from unnest(k.conkey) with ordinality u(num, o)
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = num) as columns,
    (select array_agg(a.attname::text order by o) from unnest(k.confkey) with ordinality u(num, o)
      join pg_attribute a on a.attrelid = k.confrelid and a.attnum = num) as referenced
  from pg_constraint k where k.contype = 'f' and k.conparentid = 0
), named as (
  select oid, nspname || '.' || relname as name from mine
)
select json_build_object(
  'encoding', current_setting('server_encoding'),
  'largeObjects', (select count(*) from pg_largeobject_metadata),
  'subscriptions', (select coalesce(json_agg(subname order by 1), '[]') from pg_subscription
    where subdbid = (select oid from pg_database where datname = current_database())),
  'foreignKeys', (select coalesce(json_agg(json_build_object(
      'table', f.name, 'columns', columns, 'references', t.name, 'referenced', referenced)
      order by f.name, columns), '[]')
    from fk join named f on f.oid = conrelid join named t on t.oid = confrelid),
  'indexes', (select coalesce(json_agg(json_build_object(
      'table', m.nspname || '.' || m.relname, 'schema', m.nspname, 'relation', m.relname,
      'name', coalesce(k.conname, c.relname), 'constraint', k.oid is not null) order by c.oid), '[]')
    from pg_index i join mine m on m.oid = i.indrelid and m.relkind = 'r' and not m.relispartition
      join pg_class c on c.oid = i.indexrelid
      left join pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')),
  'enums', (select coalesce(json_agg(format_type(oid, null) order by 1), '[]') from pg_type where typtype = 'e'),
  'uniques', (select coalesce(json_agg(json_build_object('table', name, 'columns', columns)
      order by name, columns), '[]')
    from jointly join named on named.oid = indrelid where columns is not null),
  'tables', (select coalesce(json_agg(json_build_object(
      'schema', m.nspname, 'name', m.relname,
      'root', case when m.relispartition then (select name from named where named.oid = root.top) else '' end,
      'rows', m.reltuples::bigint, 'bytes', pg_total_relation_size(m.oid),
      'pages', pg_relation_size(m.oid) / current_setting('block_size')::int,
      'columns', (select coalesce(json_agg(json_build_object(
          'name', a.attname, 'type', format_type(coalesce(d.base, a.atttypid), coalesce(d.mod, a.atttypmod)),
          'length', case when coalesce(d.base, a.atttypid) in ('varchar'::regtype, 'bpchar'::regtype)
            then greatest(coalesce(d.mod, a.atttypmod) - 4, 0) else 0 end,
          'collation', (
            select coalesce(to_jsonb(co)->>'colllocale', to_jsonb(co)->>'colliculocale', collcollate)
              || coalesce(' ' || (to_jsonb(co)->>'collicurules'), '')
            from pg_collation co where co.oid = a.attcollation and to_jsonb(co)->>'collisdeterministic' = 'false'),
          'notNull', a.attnotnull or coalesce(d.typnotnull, false), 'unique', alone.attnum is not null,
          'generated', a.attgenerated <> '',
          'references', (select name || '.' || referenced[1] from fk join named on named.oid = confrelid
            where conrelid in (m.oid, root.top) and cardinality(columns) = 1 and columns[1] = a.attname limit 1)
        ) order by a.attnum), '[]')
        from pg_attribute a
          left join (based d join pg_type t on t.oid = d.base and t.typtype <> 'd') on d.oid = a.atttypid
          left join alone on alone.indrelid = m.oid and alone.attnum = a.attnum
        where a.attrelid = m.oid and a.attnum > 0 and not a.attisdropped)
    ) order by m.nspname, m.relname), '[]')
    from mine m join root on root.oid = m.oid where m.relkind = 'r')
)
