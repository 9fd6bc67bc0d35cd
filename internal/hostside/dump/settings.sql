select format('%s SET %I TO %s;',
  case when s.setrole = 0 then format('ALTER DATABASE %I', d.datname)
    else format('ALTER ROLE %I IN DATABASE %I', r.rolname, d.datname) end,
  v.name, case when v.name in ('search_path', 'temp_tablespaces', 'local_preload_libraries',
    'session_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories')
    then v.value else quote_literal(v.value) end)
from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole,
  unnest(s.setconfig) with ordinality c(setting, n),
  lateral (select split_part(setting, '=', 1) as name, substr(setting, strpos(setting, '=') + 1) as value) v
where d.datname = $1 order by s.setrole, n
