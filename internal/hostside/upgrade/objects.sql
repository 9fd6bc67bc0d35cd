-- The objects of a database, a line each, as PostgreSQL 10 to 17 say it alike. What is deparsed, as expressions and views,
-- versions write differently: of that, it is only told that it is there. What an extension has made is of its version.
-- Columns are known by their names: numbers change where some were dropped. Names are in full as long as nothing but
-- pg_catalog is searched. MAINTAIN is what PostgreSQL 17 made of what others call all.
with own as (select oid from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'),
extended as (select classid, objid from pg_depend where deptype = 'e'),
rel as (select c.oid as id, c.* from pg_class c where relnamespace in (select oid from own) and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
  and relpersistence <> 't'
  and not exists (select from extended e where e.classid = 'pg_class'::regclass and e.objid = c.oid)),
fun as (select p.oid as id, p.* from pg_proc p where pronamespace in (select oid from own)
  and not exists (select from extended e where e.classid = 'pg_proc'::regclass and e.objid = p.oid)),
typ as (select t.oid as id, t.* from pg_type t where typnamespace in (select oid from own) and (typtype in ('e', 'd', 'r') or
  typtype = 'c' and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
  and not exists (select from extended e where e.classid = 'pg_type'::regclass and e.objid = t.oid)),
acl(what, acl) as (
  select 'schema ' || nspname, coalesce(nspacl, acldefault('n', nspowner)) from pg_namespace where oid in (select oid from own)
  union all select 'relation ' || id::regclass, coalesce(relacl,
    acldefault(case relkind when 'S' then 's'::"char" else 'r' end, relowner)) from rel
  union all select 'column ' || attrelid::regclass || '.' || attname, attacl from pg_attribute
    where attacl is not null and not attisdropped and attrelid in (select id from rel)
  union all select 'function ' || id::regprocedure, coalesce(proacl, acldefault('f', proowner)) from fun
  union all select 'type ' || id::regtype, coalesce(typacl, acldefault('T', typowner)) from typ
  union all select 'language ' || lanname, coalesce(lanacl, acldefault('l', lanowner)) from pg_language where lanpltrusted)
select concat_ws(' ', 'schema', nspname, 'of', pg_get_userbyid(nspowner)) from pg_namespace where oid in (select oid from own)
union all select concat_ws(' ', 'relation', id::regclass, relkind, relpersistence, 'of', pg_get_userbyid(relowner),
  relrowsecurity, relforcerowsecurity, relreplident, relispartition, array_to_string(reloptions, ',')) from rel
union all select concat_ws(' ', 'column', attrelid::regclass || '.' || quote_ident(attname), format_type(atttypid, atttypmod),
  attnotnull, atthasdef, attidentity, (select collname from pg_collation l where l.oid = attcollation))
  from pg_attribute where attnum > 0 and not attisdropped and attrelid in (select id from rel where relkind <> 'S')
union all select concat_ws(' ', 'constraint', conname, 'on', nullif(conrelid, 0)::regclass, nullif(contypid, 0)::regtype,
  contype, convalidated, condeferrable, condeferred, nullif(confrelid, 0)::regclass, confupdtype, confdeltype,
  (select string_agg(attname, ',' order by k.n) from unnest(conkey) with ordinality k(num, n)
    join pg_attribute a on a.attrelid = conrelid and a.attnum = k.num))
  from pg_constraint where contype <> 'n' and (conrelid in (select id from rel) or contypid in (select id from typ))
union all select concat_ws(' ', 'index', indexrelid::regclass, 'on', indrelid::regclass, m.amname, indisunique, indisprimary,
  indisvalid, indisclustered, indisreplident, indnatts, indpred is not null, indexprs is not null)
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
  where indrelid in (select id from rel)
union all select concat_ws(' ', 'sequence', seqrelid::regclass, seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin,
  seqcache, seqcycle) from pg_sequence where seqrelid in (select id from rel)
union all select concat_ws(' ', 'function', id::regprocedure, 'of', pg_get_userbyid(proowner), (select lanname from pg_language l where l.oid = prolang), prosecdef,
  provolatile, proisstrict, proretset, prorettype::regtype, md5(prosrc), array_to_string(proconfig, ',')) from fun
union all select concat_ws(' ', 'trigger', tgname, 'on', tgrelid::regclass, tgenabled, tgtype, tgfoid::regprocedure)
  from pg_trigger where not tgisinternal and tgrelid in (select id from rel)
union all select concat_ws(' ', 'rule', rulename, 'on', ev_class::regclass, ev_type, ev_enabled, is_instead)
  from pg_rewrite where ev_class in (select id from rel)
union all select concat_ws(' ', 'policy', polname, 'on', polrelid::regclass, polcmd, polpermissive) from pg_policy
union all select concat_ws(' ', 'type', id::regtype, typtype, 'of', pg_get_userbyid(typowner), typnotnull,
  (select string_agg(quote_literal(enumlabel), ',' order by enumsortorder) from pg_enum where enumtypid = t.id)) from typ t
union all select concat_ws(' ', 'extension', extname, 'in', extnamespace::regnamespace) from pg_extension
union all select concat_ws(' ', 'event trigger', evtname, evtevent, evtenabled) from pg_event_trigger
union all select concat_ws(' ', 'foreign server', srvname, 'of', pg_get_userbyid(srvowner)) from pg_foreign_server
union all select concat_ws(' ', 'publication', pubname, 'of', pg_get_userbyid(pubowner)) from pg_publication
union all select concat_ws(' ', 'grant', a.privilege_type, 'on', acl.what, 'to',
  case a.grantee when 0 then 'PUBLIC' else pg_get_userbyid(a.grantee) end, 'by', pg_get_userbyid(a.grantor), a.is_grantable)
  from acl, aclexplode(acl.acl) a where a.privilege_type <> 'MAINTAIN'
