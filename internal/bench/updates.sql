-- Anonymises in place, by hashes, what the rules name in the tables of people.
update person_person set first_name = md5(first_name), last_name = md5(last_name),
  birth_date = birth_date - (random() * 180)::int, email = md5(email) || '@example.org',
  nir = left(nir, 1) || right(abs(hashtextextended(nir, 1))::text, 12);
update mrsrequest_mrsrequest set token = gen_random_uuid(), adeli = null, pel = left(md5(pel), 14),
  data = data || jsonb_build_object('first_name', md5(data ->> 'first_name'), 'last_name', md5(data ->> 'last_name'),
    'nir', md5(data ->> 'nir'), 'email', md5(data ->> 'email'));
update mrsrequest_mrsrequestlogentry set comment = '', data = null;
update mrsattachment_mrsattachment set filename = 'piece-' || id, attachment_file = '1x1.png';
truncate djcall_cron, djcall_call, djcall_caller;
vacuum full;
