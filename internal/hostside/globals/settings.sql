(select coalesce(jsonb_agg(jsonb_build_object('role', coalesce(sr.rolname, ''),
      'name', split_part(c.setting, '=', 1), 'value', substr(c.setting, strpos(c.setting, '=') + 1))
      order by sr.rolname nulls first, c.n), '[]')
    from pg_db_role_setting s left join pg_roles sr on sr.oid = s.setrole,
      unnest(s.setconfig) with ordinality c(setting, n) where <it>)
