(select coalesce(jsonb_agg(jsonb_build_object('grantor', pg_get_userbyid(a.grantor),
      'grantee', case when a.grantee = 0 then '' else pg_get_userbyid(a.grantee) end,
      'privilege', a.privilege_type, 'grantable', a.is_grantable)
      order by a.grantee <> 0, pg_get_userbyid(a.grantee), a.privilege_type, pg_get_userbyid(a.grantor)), '[]')
    from aclexplode(<it>) a)
