select coalesce(jsonb_agg(jsonb_build_object('name', p.parname, 'grants', <grants p.paracl>) order by p.parname), '[]')
  from pg_parameter_acl p
