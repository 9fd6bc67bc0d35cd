-- The properties of the connected database, and of the roles of its server, as JSON (Facts). What is in angle brackets
-- stands for grants.sql or settings.sql, about what follows. What an older version has no column for is null: to_jsonb
-- takes those that there are.
select jsonb_build_object(
  'version', current_setting('server_version_num')::int,
  'database', (select jsonb_build_object('name', d.datname, 'owner', pg_get_userbyid(d.datdba),
      'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
      'provider', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'),
      'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', ''),
      'icu_rules', coalesce(to_jsonb(d) ->> 'daticurules', ''),
      'limit', d.datconnlimit, 'template', d.datistemplate,
      'comment', coalesce(shobj_description(d.oid, 'pg_database'), ''),
      'tablespace', (select spcname from pg_tablespace where oid = d.dattablespace),
      'grants', <grants coalesce(d.datacl, acldefault('d', d.datdba))>,
      'settings', <settings s.setdatabase = d.oid>)
    from pg_database d where d.datname = current_database()),
  'public', (select jsonb_build_object('owner', pg_get_userbyid(n.nspowner),
      'grants', <grants coalesce(n.nspacl, acldefault('n', n.nspowner))>)
    from pg_namespace n where n.nspname = 'public'),
  'defaults', (select coalesce(jsonb_agg(jsonb_build_object('role', pg_get_userbyid(f.defaclrole),
      'schema', coalesce(n.nspname, ''), 'type', f.defaclobjtype, 'grants', <grants f.defaclacl>)
      order by pg_get_userbyid(f.defaclrole), n.nspname, f.defaclobjtype), '[]')
    from pg_default_acl f left join pg_namespace n on n.oid = f.defaclnamespace),
  'roles', (select coalesce(jsonb_agg(jsonb_build_object('name', r.rolname, 'bootstrap', r.oid = 10,
      'superuser', r.rolsuper, 'inherit', r.rolinherit, 'create_role', r.rolcreaterole, 'create_db', r.rolcreatedb,
      'login', r.rolcanlogin, 'replication', r.rolreplication, 'bypass_rls', r.rolbypassrls, 'limit', r.rolconnlimit,
      'until',
      coalesce(to_char(r.rolvaliduntil at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), r.rolvaliduntil::text, ''),
      'password', case when r.rolpassword is null then '' when r.rolpassword ~ '^SCRAM-SHA-256\$' then 'SCRAM-SHA-256'
        else 'md5' end,
      'comment', coalesce(shobj_description(r.oid, 'pg_authid'), ''),
      'settings', <settings s.setdatabase = 0 and s.setrole = r.oid>) order by r.rolname), '[]')
    from pg_authid r where r.rolname !~ '^pg_'),
  'members', (select coalesce(jsonb_agg(jsonb_build_object('role', pg_get_userbyid(m.roleid),
      'member', pg_get_userbyid(m.member), 'admin', m.admin_option,
      'grantor', case when to_jsonb(m) ? 'inherit_option' then pg_get_userbyid(m.grantor) else '' end,
      'inherit', to_jsonb(m) -> 'inherit_option', 'set', to_jsonb(m) -> 'set_option')
      order by pg_get_userbyid(m.roleid), pg_get_userbyid(m.member), pg_get_userbyid(m.grantor)), '[]')
    from pg_auth_members m where pg_get_userbyid(m.member) !~ '^pg_'))
